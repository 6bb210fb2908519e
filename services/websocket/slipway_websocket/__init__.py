"""The WebSocket gateway: what happens now, and what happened, to browsers and command lines.

Invariant: nothing leaves for a client whose right to it is not in force at that moment, what a client gets of a channel
has no silent gap, and a client that doesn't read costs bounded memory and nobody else's time.
"""
