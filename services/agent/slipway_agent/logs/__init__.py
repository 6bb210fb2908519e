"""From a log file's bytes to durable batches on the bus, each line once and in order.

files → source → shipper, with the checkpoints written between: a batch is cut, the cut is noted, the batch is
published, the acknowledgement is noted. Numbers of lines derive from the file alone, so what is sent again is the same.
"""
