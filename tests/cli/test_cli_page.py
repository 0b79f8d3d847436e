"""docs/cli.md is typed into a shell from top to bottom, on a real stack, and prints what the page says."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stacks import a_stack

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/cli.md").read_text()
WITHIN_S = 900.0  # some 80 processes that start slowly: 80 s by themselves, and many times that on a busy machine
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "=== block {} of the page ==="


@dataclass(frozen=True)
class Block:
    """A block of commands, and what the page says that it prints; None where it says nothing."""

    commands: str
    printed: str | None


BLOCKS = [Block(commands, printed or None) for commands, printed in BLOCK.findall(PAGE)]


def words(text: str) -> str:
    """Tables are as wide as their widest cell, so the width of a gap says nothing."""
    return " ".join(text.split())


def is_printed(printed: str, out: str) -> bool:
    """Whether `out` is what the page says, where … may be anything."""
    pieces = [re.escape(words(piece)) for piece in printed.split("…")]
    return re.fullmatch(".*".join(pieces), words(out)) is not None


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[dict[str, str]]:
    """The environment of a shell beside `make up`."""
    async with a_stack() as settings:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        gateway = f"http://127.0.0.1:{settings.gateway_port}"
        data_dir = str(settings.data_dir)
        yield {**kept, "PATH": path, "ORDERS_DATA_DIR": data_dir, "COLUMNS": "200", "GATEWAY": gateway}


async def typed(blocks: list[Block], environment: dict[str, str]) -> tuple[int, list[str]]:
    """The shell's exit code, and what each block has printed, up to the one whose command failed, which ends the
    shell, or took too long."""
    lines = [f'echo "{MARK.format(index)}"\n{block.commands}' for index, block in enumerate(blocks)]
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", "\n".join(lines)),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert shell.stdout is not None
    out = b""
    try:
        async with asyncio.timeout(WITHIN_S):
            while some := await shell.stdout.read(65_536):
                out += some
    except TimeoutError:
        out += f"not done after {WITHIN_S:.0f} s".encode()
        os.killpg(shell.pid, signal.SIGKILL)
    code = await shell.wait()
    return code, re.split(MARK.format(r"\d+") + "\n", out.decode(errors="replace"))[1:]


@pytest.mark.timeout(WITHIN_S + 60)
async def test_every_block_of_the_page_runs_and_prints_what_the_page_says(environment: dict[str, str]) -> None:
    code, outs = await typed(BLOCKS, environment)
    for block, out in zip(BLOCKS, outs, strict=False):
        assert block.printed is None or is_printed(block.printed, out), f"{block.commands}\nprinted\n{out}"
    assert (code, len(outs)) == (0, len(BLOCKS)), f"{BLOCKS[len(outs) - 1].commands}\nended the shell\n{outs[-1]}"


def test_no_command_of_the_page_is_outside_of_what_is_run() -> None:
    """A block of another language, or one that is indented, would not be run."""
    assert len(BLOCKS) == PAGE.count("```sh\n") > 20
    assert "starter.py " not in BLOCK.sub("", PAGE)


@pytest.mark.parametrize(
    ("printed", "out", "same"),
    [
        ("… is SHIPPED", "125 is SHIPPED\n", True),
        ("a  b\nc", "a b c", True),
        ("… is SHIPPED", "125 is CLOSED\n", False),
        ("one", "one\ntwo\n", False),
        ("one\n…", "one\ntwo\n", True),
    ],
)
def test_only_dots_may_be_anything(printed: str, out: str, same: bool) -> None:
    assert is_printed(printed, out) is same
