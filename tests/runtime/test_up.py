"""`make up` starts once, says in one line why it can't, heals what crashes, and stops cleanly."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.embedded import HOST, ServerFailed, free_port
from runtime.settings import Settings, running
from runtime.temporal import connect, operator_links
from runtime.up import SetupError, Stack, exclusive


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, temporal_port=free_port(), temporal_ui_port=free_port())


async def test_a_second_one_is_told_who_is_up(settings: Settings) -> None:
    with exclusive(settings.data_dir), pytest.raises(SetupError, match=f"up already: process {os.getpid()} holds"):
        await Stack(settings, only=[]).__aenter__()


async def test_the_lock_of_a_dead_process_holds_nobody_up(settings: Settings) -> None:
    (settings.data_dir / "up.lock").write_text("1")
    (settings.data_dir / "up.json").write_text('{"pid": 1, "temporal_address": "stale:1"}')
    async with Stack(settings, only=[]):
        found = running(settings.data_dir)
    assert found is not None
    assert (found.pid, found.temporal_address) == (os.getpid(), "")
    assert running(settings.data_dir) is None


async def test_a_taken_port_is_named_with_its_setting(settings: Settings) -> None:
    with socket.create_server((HOST, settings.temporal_port)), pytest.raises(SetupError) as refused:
        await Stack(settings, only=["temporal"]).__aenter__()
    port = settings.temporal_port
    assert str(refused.value) == f"port {port} is taken: free it, or set ORDERS_TEMPORAL_PORT to another"


async def test_one_port_for_two_is_refused(settings: Settings) -> None:
    twice = settings.model_copy(update={"temporal_ui_port": settings.temporal_port})
    with pytest.raises(SetupError, match="give each its own"):
        await Stack(twice, only=["temporal"]).__aenter__()


async def test_a_folder_that_can_not_be_written_is_said_so(settings: Settings) -> None:
    (settings.data_dir / "file").touch()
    with pytest.raises(SetupError, match="can't write to the data folder"):
        await Stack(settings.model_copy(update={"data_dir": settings.data_dir / "file"}), only=[]).__aenter__()


async def test_a_crashed_server_comes_back_with_the_same_address(settings: Settings) -> None:
    async with Stack(settings, only=["temporal"]) as stack:
        server = stack.child("temporal")
        killed = server.pid
        server.kill()
        async with asyncio.timeout(10):
            # A process's end is no event.
            while server.pid in (None, killed) or not await asyncio.to_thread(server.healthy):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await connect(stack.settings)).namespace == "default"
    assert not server.running


async def test_damaged_state_is_told_with_the_log_and_leaves_nothing_running(settings: Settings) -> None:
    (settings.data_dir / "temporal.db").write_text("this is no database" * 1_000)
    stack = Stack(settings, only=["temporal"])
    with pytest.raises(ServerFailed, match=r"(?s)Temporal ended.*not a database"):
        await stack.__aenter__()
    assert not stack.child("temporal").running


UP = """
import asyncio, sys
from runtime.settings import load_without_servers
from runtime.up import up
sys.exit(asyncio.run(up(load_without_servers(), only=sys.argv[1:])))
"""


@pytest.mark.parametrize(
    ("number", "only", "last"),
    [
        (signal.SIGINT, ["temporal", "postgres"], "stopping PostgreSQL\nstopping Temporal\nstopped\n"),
        (signal.SIGTERM, ["temporal"], "stopping Temporal\nstopped\n"),
    ],
)
def test_a_signal_stops_it_in_reverse_and_cleanly(
    settings: Settings, number: signal.Signals, only: list[str], last: str
) -> None:
    command = [sys.executable, "-c", UP, *only]
    environment = settings.environment() | {"COLUMNS": "200"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.monotonic() + 20
    while running(settings.data_dir) is None:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert said.endswith(last)
    assert "Traceback" not in said


def test_operators_find_what_needs_them_by_a_link() -> None:
    links = operator_links("http://ui")
    assert links["orders needing a person"] == "http://ui/namespaces/default/workflows?query=NeedsAttention%3Dtrue"
