"""Starts a worker: `python worker.py`. Its settings come from the environment; SIGTERM drains it."""

from runtime.worker import main

if __name__ == "__main__":
    raise SystemExit(main())
