"""What lies in the warehouses, in PostgreSQL."""

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import GoodsOf, GoodsTaken, Moved, Plan
from domain.split_model import Warehouse
from store.tables import stock


class PostgresShelves:
    """Implements `activities.catalog.Shelves` and `activities.stock.Warehouses`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        return []

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        async with self._engine.connect() as db:
            rows = await db.execute(select(stock.c.sku, stock.c.available).where(stock.c.sku.in_(set(skus))))
            return {row.sku: row.available for row in rows}

    async def set_aside(
        self, order_no: str, wanted: Mapping[str, Collection[str]], plan: Callable[[Sequence[Warehouse]], Plan]
    ) -> Plan:
        return plan([])

    async def take(self, request: GoodsOf) -> GoodsTaken:
        return GoodsTaken(taken=True)

    async def ship(self, request: GoodsOf) -> Moved:
        return Moved(pieces=0)

    async def put_back(self, request: GoodsOf) -> Moved:
        return Moved(pieces=0)
