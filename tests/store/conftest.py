"""What the tests of the store share."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.catalog.products import CatalogChanges, Listing
from store.stock.ledger import PostgresStock
from tests.support.books import Ledgers
from tests.support.desk import CUP, TEA, Desk


@pytest.fixture
def ledgers(engine: AsyncEngine) -> Ledgers:
    return Ledgers(engine)


@pytest.fixture
def stock(engine: AsyncEngine) -> PostgresStock:
    return PostgresStock(engine)


@pytest.fixture
async def desk(engine: AsyncEngine) -> Desk:
    """With tea and cups on sale."""
    desk = Desk(engine)
    await desk.catalog.change(CatalogChanges([Listing(TEA), Listing(CUP)]))
    return desk
