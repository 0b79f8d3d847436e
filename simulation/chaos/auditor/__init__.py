"""The auditor: plain SQL, HTTP to the parties and a list of runs, with constants of its own.

It imports nothing of the system it checks (import-linter sees to that), so a misunderstanding in the ledgers can't
be shared by their auditor.
"""
