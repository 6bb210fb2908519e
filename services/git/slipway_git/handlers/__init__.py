"""What the built-in remote does on a request."""
