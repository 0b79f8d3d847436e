"""The auditor: plain SQL, HTTP to the parties and a list of runs, with constants of its own.

It imports nothing of the system that it checks (import-linter enforces that), so that it can't share a
misunderstanding with the ledgers.
"""
