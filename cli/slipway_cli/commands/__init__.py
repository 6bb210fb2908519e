"""One module per verb or family of verbs. Results go to stdout, everything said to people to stderr."""
