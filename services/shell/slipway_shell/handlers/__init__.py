"""What is asked of the shell gateway over HTTP: its record of sessions, and the rules for them."""
