"""docs/cli.md is typed into a shell from top to bottom, on a real stack, and prints what the page says."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.embedded import free_port
from runtime.settings import Settings
from runtime.up import Stack

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/cli.md").read_text()
WITHIN_S = 540.0
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
    with tempfile.TemporaryDirectory(prefix="orders-page-") as folder:
        settings = Settings(
            data_dir=Path(folder),
            temporal_port=free_port(),
            temporal_ui_port=free_port(),
            gateway_port=free_port(),
            sandbox_port=free_port(),
            metrics_port=0,
        )
        async with Stack(settings):
            kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            gateway = f"http://127.0.0.1:{settings.gateway_port}"
            yield {**kept, "PATH": path, "ORDERS_DATA_DIR": folder, "COLUMNS": "200", "GATEWAY": gateway}


async def typed(blocks: list[Block], environment: dict[str, str]) -> list[str]:
    """What each block has printed, up to the one whose command failed, which ends the shell."""
    lines = [f'echo "{MARK.format(index)}"\n{block.commands}' for index, block in enumerate(blocks)]
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", "\n".join(lines)),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(shell.communicate(), WITHIN_S)
    finally:
        if shell.returncode is None:
            shell.kill()
    return re.split(MARK.format(r"\d+") + "\n", out.decode())[1:]


@pytest.mark.timeout(WITHIN_S + 60)
async def test_every_block_of_the_page_runs_and_prints_what_the_page_says(environment: dict[str, str]) -> None:
    outs = await typed(BLOCKS, environment)
    for block, out in zip(BLOCKS, outs, strict=False):
        assert block.printed is None or is_printed(block.printed, out), f"{block.commands}\nprinted\n{out}"
    assert len(outs) == len(BLOCKS), f"{BLOCKS[len(outs) - 1].commands}\nended the shell, after\n{outs[-1]}"


def test_no_block_of_commands_is_written_in_another_way() -> None:
    """A block of another language, or one that is indented, would not be run."""
    assert len(BLOCKS) == len(re.findall(r"^ *(?:```|~~~)(?:sh|bash|shell|console)\b", PAGE, re.MULTILINE))
    assert PAGE.count("python starter.py") == sum(block.commands.count("python starter.py") for block in BLOCKS) + 1
