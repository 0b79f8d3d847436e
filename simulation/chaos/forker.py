"""The process that starts workers and gateways: it has imported everything once, and forks.

A start then costs milliseconds instead of two seconds of a core, so that hundreds can be killed in minutes. Each of
them is still a process of its own, with its own connections, and dies of a SIGKILL like any other.

    <- {"role": "worker", "env": {...}, "log": "worker-1.log"}     -> {"born": 4711}
                                                                   -> {"died": 4711}
"""

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from runtime import serve
from simulation.chaos import mortal_worker

ROLES: dict[str, Callable[[], object]] = {"worker": mortal_worker.main, "gateway": serve.main}
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main() -> None:
    """Fork what is asked for, until the parent closes the pipe or dies; then kill all that were forked here."""
    alive: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.05)
        if ready:
            data = os.read(0, 65_536)
            if not data:
                break
            *wishes, waiting = (waiting + data).split(b"\n")
            for wish in wishes:
                alive.add(_bear(json.loads(wish)))
        for pid in _dead(alive):
            alive.discard(pid)
            _say({"died": pid})
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _dead(alive: set[int]) -> list[int]:
    return [pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0] == pid]


def _bear(wish: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _live(wish)
    _say({"born": pid})
    return pid


def _live(wish: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(wish["env"])
        ROLES[wish["role"]]()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(line: dict[str, int]) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
