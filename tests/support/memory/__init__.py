"""The parties of a shop in plain dictionaries: one behind each Protocol that the stories ask.

None of them waits in the middle of a call, so each call is as whole as a transaction. Whatever is decided is decided
by the domain's own rules. Nothing outlives the process: what is to be true of kills is asked of PostgreSQL."""
