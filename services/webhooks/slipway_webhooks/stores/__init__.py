"""Tables of the delivery log."""
