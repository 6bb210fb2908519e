"""The engine: beside a cluster, it pulls tasks, executes them by a driver, and reports.

Invariant: whatever an engine changes, it changes under the fence of the task; nothing is its own memory that
another engine would need to go on.
"""
