"""Core: organizations, projects, environments, services, variables, people and their rights; the public API.

It alone owns the database behind them; everybody else learns of changes from `EVENTS`, `access` and `git-links`.
"""
