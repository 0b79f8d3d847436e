"""A stock ledger's counters, and how a test holds one of them up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from store.stock.ledger import PostgresStock


async def level(stock: PostgresStock, sku: str = "A") -> tuple[int, int, int]:
    """Available, reserved, deducted; and they add up."""
    counters = (await stock.levels([sku]))[sku]
    parts = counters["available"], counters["reserved"], counters["deducted"]
    assert sum(parts) == counters["sellable_total"]
    assert min(parts) >= 0
    return parts


@asynccontextmanager
async def held_up(engine: AsyncEngine, sku: str) -> AsyncIterator[None]:
    """Somebody else has the SKU's row locked: a batch that wants it is under way for as long."""
    async with engine.begin() as db:
        await db.execute(text("SELECT FROM stock WHERE sku = :sku FOR UPDATE"), {"sku": sku})
        yield
