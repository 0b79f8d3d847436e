"""The sellable ledger in PostgreSQL: its counters add up, a reservation ends once, and a key has its effect once."""

from collections.abc import Iterable, Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock
from domain.order.stock import MAIN_CHANNEL
from store.database.batcher import MOST_AT_ONCE, MOST_WAITING, Batcher
from store.stock import endings
from store.stock.changes import Change, change_stock
from store.stock.reserve import Reserving
from store.tables import stock


class PostgresStock:
    """Implements `activities.stock.StockLedger`. Calls that come together share a transaction, so a process makes one
    ledger, and all its callers use that."""

    def __init__(
        self, engine: AsyncEngine, *, most_at_once: int = MOST_AT_ONCE, most_waiting: int = MOST_WAITING
    ) -> None:
        self._engine = engine
        limits = {"most_at_once": most_at_once, "most_waiting": most_waiting}
        self._reserve = Batcher[ReserveStock, Reserved]("reserve stock", Reserving(engine), **limits)
        self._release = Batcher[ReleaseStock, Moved]("release stock", partial(endings.release, engine), **limits)
        self._deduct = Batcher[StockOf, Deducted]("deduct stock", partial(endings.deduct, engine), **limits)
        self._restock = Batcher[Restock, Moved]("restock", partial(endings.restock, engine), **limits)

    async def reserve(self, request: ReserveStock) -> Reserved:
        return await self._reserve(request)

    async def release(self, request: ReleaseStock) -> Moved:
        return await self._release(request)

    async def deduct(self, request: StockOf) -> Deducted:
        return await self._deduct(request)

    async def restock(self, request: Restock) -> Moved:
        return await self._restock(request)

    async def receive(self, sku: str, pieces: int, channel: str = MAIN_CHANNEL) -> None:
        """Add pieces to what can be sold."""
        await change_stock(self._engine, [Change(sku=sku, pieces=pieces, kind="receive", channel=channel)])

    async def levels(self, skus: Iterable[str], channel: str = MAIN_CHANNEL) -> dict[str, dict[str, int]]:
        """The counters of each SKU, by name. A SKU that was never received is left out."""
        chosen = select(stock).where(stock.c.sku.in_(list(skus)), stock.c.channel == channel)
        async with self._engine.connect() as db:
            rows = (await db.execute(chosen)).mappings()
            return {row["sku"]: {name: row[name] for name in _COUNTERS} for row in rows}


_COUNTERS: Sequence[str] = ("sellable_total", "available", "reserved", "deducted")
