"""Terminals beside the services: opened, fed and ended over the bus by the shell gateway.

Invariant: a terminal runs in the service's own sandbox and environment and nowhere else, and none outlives its gateway
by more than the silence limit, nor the agent at all.
"""
