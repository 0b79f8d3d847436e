"""Starts orders, and does what parties do to them: the command line. `python starter.py --help`."""

import contextlib
import os
import sys

from cli.app import main

if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Without Python's own winding up: in it a thread of Temporal's client now and then aborts the process, and a
        # script would see -6 where all was done.
        os._exit(ended.code if isinstance(ended.code, int) else 1)
