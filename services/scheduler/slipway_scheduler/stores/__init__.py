"""The scheduler's tables, one class each."""
