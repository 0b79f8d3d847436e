"""The servers of a benchmark: its own, on free ports, with their data in a folder that is deleted afterwards."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from runtime.embedded import Postgres
from runtime.up import ROOT
from store.database import migrate
from store.database.engine import engine_for


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder on the disk where the project keeps its data, so that a commit costs what it costs there. It is deleted
    afterwards."""
    parent = ROOT / ".data"
    parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL with its default settings, under which every commit is synced."""
    server = Postgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def a_database(server: Postgres, name: str) -> AsyncIterator[AsyncEngine]:
    """A new, migrated database, with an engine like the product's."""
    admin = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    url = server.url.replace("/postgres?", f"/{name}?")
    await migrate.upgrade(url)
    engine = engine_for(url)
    try:
        yield engine
    finally:
        await engine.dispose()
