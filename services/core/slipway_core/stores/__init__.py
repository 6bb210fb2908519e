"""The tables, one class each: SQL in, Structs out. A broken constraint becomes a fault here, by its name."""
