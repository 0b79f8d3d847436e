"""Servers of their own for the tests that kill them."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.embedded import Postgres, TemporalServer
from runtime.settings import STANDARD


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests is seen by them."""
    for name in list(os.environ):
        if name.startswith("ORDERS_") or name.lower() in STANDARD:
            monkeypatch.delenv(name)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's: each pytest that starts closes its base folder again, and run by root, PostgreSQL's own user
    is then shut out of its data in the middle of a test."""
    with tempfile.TemporaryDirectory(prefix="orders-") as folder:
        yield Path(folder)


@pytest.fixture
def temporal(tmp_path: Path) -> Iterator[TemporalServer]:
    server = TemporalServer(tmp_path, headless=True, search_attributes={"NeedsAttention": "Bool"})
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    """A PostgreSQL folder that was started and stopped: copying it is ten times faster than making another."""
    with tempfile.TemporaryDirectory(prefix="orders-") as folder:
        server = Postgres(Path(folder))
        server.start()
        server.stop()
        yield Path(folder)


@pytest.fixture
def postgres(made_once: Path, tmp_path: Path) -> Iterator[Postgres]:
    subprocess.run(["cp", "-a", f"{made_once}/.", str(tmp_path)], check=True)
    server = Postgres(tmp_path)
    server.start()
    yield server
    server.stop()
