"""The agent: beside the workloads, it tells what they say, what they use and whether they live, and opens shells.

Invariant: a workload never notices whether the agent, the bus or the control plane is there.
"""
