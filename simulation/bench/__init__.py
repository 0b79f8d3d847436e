"""The benchmark: `make bench`. Four parts and a table of things tried, each measured within one run."""
