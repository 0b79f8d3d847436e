"""Starts orders, and does what parties do to them: the command line. `python starter.py --help`."""

from runtime.cli import main

if __name__ == "__main__":
    main()
