"""Servers of their own for the tests that kill them, and the command line as it is typed."""

import asyncio
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.app import main
from runtime.embedded import Postgres
from runtime.settings import DEVELOPMENT_KEYS, variable
from store.database import migrate
from tests.support.command_line import Ran, Typed
from tests.support.own_servers import bare_environment, made_once, postgres, temporal, tmp_path

__all__ = ["bare_environment", "made_once", "postgres", "temporal", "tmp_path"]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="orders-") as folder:
        server = Postgres(Path(folder))
        server.start()
        asyncio.run(migrate.upgrade(server.url))
        yield server.url
        server.stop()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command, as it is typed, with no server."""

    def run(*words: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            main(list(words))
        assert isinstance(end.value.code, int)
        return Ran(end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def typed(offline: Typed, database: str, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """The command with a database; nothing here needs Temporal."""
    for name in DEVELOPMENT_KEYS:
        monkeypatch.setenv(variable(name), "of the tests " * 3)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return offline
