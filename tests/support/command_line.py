"""The command line, as it is typed and as a process of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from cli.app import main
from tests.support.servers import ROOT

EXAMPLES = ROOT / "examples"


def starter(*words: str, stdin: str | bytes = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """The real thing, as a process of its own."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    ran = subprocess.run(
        [sys.executable, str(ROOT / "starter.py"), *words],
        input=raw,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **settings},
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(words, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def typed_here(*words: str, stdin: str | bytes = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """The same in this process: imports are most of what a process of its own costs, and they are done here."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = io.StringIO(), io.StringIO()

    def run() -> object:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            main(list(words))
        return end.value.code

    # In a thread of its own, since a command runs an event loop, and a test may run in one.
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        for name, value in settings.items():
            patch.setenv(name, value)
        code = thread.submit(run).result(timeout=60)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Typed = Callable[..., Ran]


def answer(typed: Typed, *words: str) -> dict[str, Any]:
    ran = typed(*words, "--json")
    assert (ran.code, ran.err) == (0, ""), ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def no(typed: Typed, *words: str, stdin: str = "") -> str:
    """What the one line on stderr says of what is refused."""
    ran = typed(*words, stdin=stdin)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran
    return ran.err.removeprefix("error: ").strip()


def bad(typed: Typed, *words: str, stdin: str = "") -> str:
    """What the one line on stderr says of bad input."""
    ran = typed(*words, stdin=stdin)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran
    return ran.err.removeprefix("error: ").strip()
