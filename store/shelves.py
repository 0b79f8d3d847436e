"""What lies in the warehouses and can be sold, to plan with."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.split_model import Warehouse
from domain.stock import MAIN_CHANNEL
from store.tables import merchant_warehouses, physical_stock, stock


class PostgresShelves:
    """Implements `activities.catalog.Shelves`. Reads only, without locks: the split decides."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        """The warehouses of these merchants, with what can be had there of these SKUs (SKUs by merchant)."""
        sites, there = merchant_warehouses.c, physical_stock.c
        skus = {sku for of_merchant in wanted.values() for sku in of_merchant}
        found = (
            select(sites.merchant, sites.warehouse, there.sku, there.available)
            .join(physical_stock, (there.warehouse == sites.warehouse) & there.sku.in_(skus), isouter=True)
            .where(sites.merchant.in_(wanted))
            .order_by(sites.merchant, sites.warehouse)
        )
        stocks: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        async with self._engine.connect() as db:
            for merchant, warehouse, sku, available in await db.execute(found):
                shelf = stocks[merchant, warehouse]
                if sku in wanted[merchant]:
                    shelf[sku] = available
        return [Warehouse(merchant=m, warehouse=w, stock=shelf) for (m, w), shelf in stocks.items()]

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        """How many pieces of each SKU can be sold now."""
        wanted = select(stock.c.sku, stock.c.available).where(
            stock.c.sku.in_(set(skus)), stock.c.channel == MAIN_CHANNEL
        )
        async with self._engine.connect() as db:
            return {row.sku: row.available for row in await db.execute(wanted)}
