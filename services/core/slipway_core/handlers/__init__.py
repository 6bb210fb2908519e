"""What core does, a file per noun: functions `(app, call)` for requests, `(app, message)` for the bus."""
