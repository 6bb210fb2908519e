"""What the shell gateway keeps: one class per table."""
