"""The scheduler's tables, forward only."""
