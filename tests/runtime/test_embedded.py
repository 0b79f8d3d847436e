"""The servers that come with the project lose nothing that was acknowledged, and come back by themselves."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.embedded import Postgres, ServerFailed, TemporalServer
from runtime.settings import Settings
from runtime.temporal import Unreachable, connect, worker_polls

KILLS = 4
STARTS = 15


async def client_of(server: TemporalServer) -> Client:
    return await connect(Settings(temporal_address=server.address, embedded="temporal"))


async def test_a_killed_temporal_server_loses_no_acknowledged_start(temporal: TemporalServer) -> None:
    acknowledged: list[str] = []
    for _ in range(KILLS):
        client = await client_of(temporal)
        for _ in range(STARTS):
            handle = await client.start_workflow("Nobody", id=f"order/{uuid4()}", task_queue="nobody")
            acknowledged.append(handle.id)
        temporal.kill()
        temporal.start()
    client = await client_of(temporal)
    for workflow_id in acknowledged:
        assert (await client.get_workflow_handle(workflow_id).describe()).id == workflow_id
    assert len(acknowledged) == KILLS * STARTS


async def test_a_search_attribute_added_later_is_there_on_the_old_data(temporal: TemporalServer) -> None:
    temporal.kill()
    temporal.search_attributes["AddedLater"] = "KeywordList"
    temporal.start()
    client = await client_of(temporal)
    assert [run async for run in client.list_workflows("AddedLater IS NOT NULL OR NeedsAttention=true")] == []
    with pytest.raises(RPCError, match="NeverMade"):
        _ = [run async for run in client.list_workflows("NeverMade IS NOT NULL")]


async def test_no_worker_is_seen_where_there_is_none(temporal: TemporalServer) -> None:
    settings = Settings(temporal_address=temporal.address, embedded="temporal")
    assert not await worker_polls(settings, datetime.now(UTC))


async def test_an_unreachable_temporal_is_said_so_at_once(temporal: TemporalServer) -> None:
    temporal.kill()
    with pytest.raises(Unreachable, match=r"does not answer at 127.0.0.1:.*make up"):
        await client_of(temporal)


async def ask(postgres: Postgres, sql: str) -> object:
    engine = create_async_engine(postgres.url)
    async with engine.begin() as connection:
        answer = await connection.execute(text(sql))
        value = answer.scalar_one() if answer.returns_rows else None
    await engine.dispose()
    return value


async def test_a_killed_postgresql_keeps_what_was_committed(postgres: Postgres) -> None:
    await ask(postgres, "CREATE TABLE kept AS SELECT 1 AS value")
    postgres.kill()
    postgres.start()
    assert await ask(postgres, "SELECT value FROM kept") == 1


async def test_postgresql_is_durable_by_its_settings(postgres: Postgres) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await ask(postgres, f"SHOW {setting}") == "on"
    assert await ask(postgres, "SHOW max_connections") == "200"


async def test_a_server_left_by_a_dead_owner_is_replaced(postgres: Postgres, tmp_path: Path) -> None:
    second = Postgres(tmp_path)
    second.start()
    assert not postgres.running
    assert await ask(second, "SELECT 1") == 1
    second.stop()


async def test_a_stale_process_id_that_another_program_has_now_does_not_matter(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    postgres.start()
    assert await ask(postgres, "SELECT 1") == 1


def test_data_of_another_major_version_is_refused_in_words(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerFailed, match=r"made by PostgreSQL 9, this is \d+: move it away"):
        postgres.start()


def test_damaged_data_is_told_with_the_end_of_the_log(postgres: Postgres) -> None:
    postgres.stop()
    shutil.rmtree(postgres.data / "global")
    with pytest.raises(ServerFailed, match=r"(?s)PostgreSQL ended.*The end of .*global"):
        postgres.start()


def test_a_deep_data_folder_gets_a_short_socket(tmp_path: Path) -> None:
    server = Postgres(tmp_path / ("deep" * 20))
    server.start()
    assert len(server.url) < 110
    server.stop()


OWNER = """
import pathlib, sys
from runtime.embedded import Postgres, TemporalServer
folder = pathlib.Path(sys.argv[1])
servers = Postgres(folder), TemporalServer(folder, headless=True)
for server in servers:
    server.start()
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_servers_die_with_a_killed_owner(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.communicate()
    assert len(pids) == 2
    _until_gone(pids)


def _until_gone(pids: list[int]) -> None:
    until = time.monotonic() + 5
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < until, "a server outlived its owner"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    """A zombie, which only waits for somebody to take note of its end, is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
