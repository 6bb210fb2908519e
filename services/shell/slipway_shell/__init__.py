"""Remote shells: the gateway between a person's WebSocket and the terminal that a cluster's agent opens.

Invariant: no byte goes to a program before the session is on record, and none after the right to it has ended.
"""
