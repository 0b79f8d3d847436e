"""The command line, as it is typed and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
