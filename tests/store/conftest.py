"""What the tests of the store share."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.stock import PostgresStock
from tests.store.books import Ledgers


@pytest.fixture
def ledgers(engine: AsyncEngine) -> Ledgers:
    return Ledgers(engine)


@pytest.fixture
def stock(engine: AsyncEngine) -> PostgresStock:
    return PostgresStock(engine)
