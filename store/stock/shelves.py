"""The stock that orders are planned with: what lies in the warehouses, and what can be sold."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.stock import MAIN_CHANNEL
from domain.splitting.model import Warehouse
from store.database.engine import single
from store.tables import merchant_warehouses, physical_stock, stock

_SITES, _THERE = merchant_warehouses.c, physical_stock.c
_OF_THESE = _THERE.sku == any_(bindparam("skus", type_=ARRAY(Text)))
_WAREHOUSES = (
    select(_SITES.merchant, _SITES.warehouse, _THERE.sku, _THERE.available)
    .join(physical_stock, (_THERE.warehouse == _SITES.warehouse) & _OF_THESE, isouter=True)
    .where(_SITES.merchant == any_(bindparam("merchants", type_=ARRAY(Text))))
    .order_by(_SITES.merchant, _SITES.warehouse)
)


class PostgresShelves:
    """Implements `activities.stock_party.Shelves`. Reads only, without locks: the split decides."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._single = single(engine)

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        """The warehouses of these merchants, with the available pieces of the wanted SKUs (which are given by
        merchant)."""
        skus = {sku for of_merchant in wanted.values() for sku in of_merchant}
        stocks: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        async with self._single.connect() as db:
            found = await db.execute(_WAREHOUSES, {"skus": list(skus), "merchants": list(wanted)})
            for merchant, warehouse, sku, available in found:
                shelf = stocks[merchant, warehouse]
                if sku in wanted[merchant]:
                    shelf[sku] = available
        return [Warehouse(merchant=m, warehouse=w, stock=shelf) for (m, w), shelf in stocks.items()]

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        """How many pieces of each SKU the main channel can sell now; a SKU that was never received is left out."""
        wanted = select(stock.c.sku, stock.c.available).where(
            stock.c.sku.in_(set(skus)), stock.c.channel == MAIN_CHANNEL
        )
        async with self._single.connect() as db:
            return {row.sku: row.available for row in await db.execute(wanted)}
