"""The command line: starts orders, and does what parties do to them. See `python starter.py --help`."""

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
        # Python's own shutdown is skipped: in it a thread of Temporal's client sometimes aborts the process, and a
        # script would see -6 although everything was done.
        os._exit(ended.code if isinstance(ended.code, int) else 1)
