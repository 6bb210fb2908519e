"""The built-in Git remote: bare repositories, smart HTTP, and a signed delivery for every push that was accepted."""
