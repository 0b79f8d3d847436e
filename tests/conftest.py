"""The real servers that the tests share, one of each for the whole run."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.embedded import Postgres
from store import migrate
from store.engine import engine_for
from store.tables import metadata


@pytest.fixture(scope="session")
async def database_url() -> AsyncIterator[str]:
    """A migrated database on a real PostgreSQL of this run's own."""
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            await migrate.upgrade(server.url)
            yield server.url
        finally:
            server.stop()


@pytest.fixture(scope="session")
async def shared_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(shared_engine: AsyncEngine) -> AsyncEngine:
    """The database, empty."""
    async with shared_engine.begin() as db:
        await db.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
    return shared_engine
