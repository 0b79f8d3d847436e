"""The benchmark, `make bench`: four parts and a table of things that were tried, each measured within one run."""
