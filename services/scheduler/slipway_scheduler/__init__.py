"""The scheduler: everything that happens at a time.

Invariant: each nominal time of a schedule takes effect at most once, whatever number of replicas runs and whatever
dies meanwhile: the unique row (schedule, nominal time) and the message in the outbox commit together.
"""
