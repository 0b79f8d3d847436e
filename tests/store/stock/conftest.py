"""What the tests of the stock ledger share."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.database.asyncpg_direct import is_about_a_member, sqlstate
from store.database.engine import engine_for
from store.stock.ledger import PostgresStock


@pytest.fixture
async def engines(engine: AsyncEngine, database_url: str) -> AsyncIterator[list[AsyncEngine]]:
    """As if there were several workers."""
    made = [engine_for(database_url, pool_size=8) for _ in range(3)]
    yield made
    for one in made:
        await one.dispose()


@pytest.fixture
def ledgers_of_workers(engines: list[AsyncEngine]) -> list[PostgresStock]:
    return [PostgresStock(engine) for engine in engines]


@pytest.fixture
def deadlocks_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batcher would try the members of a deadlocked batch one by one, and nobody would notice."""
    monkeypatch.setattr(
        "store.database.batcher.is_about_a_member",
        lambda fault: sqlstate(fault) != "40P01" and is_about_a_member(fault),
    )
