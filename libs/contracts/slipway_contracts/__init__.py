"""What the services say to each other: messages, subjects, streams and buckets, declared once.

Evolution: a new field gets a default, none is renamed or retyped, readers ignore fields they don't know;
a change that breaks this is a new topic. `tests/contracts/samples` holds one old encoding of each, readable for ever.
"""
