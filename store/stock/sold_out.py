"""The gate before the ledger: an order for what is plainly sold out is refused without starting a run."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.reservation import StockLine
from domain.order.stock import MAIN_CHANNEL, StockPolicy
from store.database.asyncpg_direct import autocommit
from store.database.batcher import Batcher

Asked = tuple[Sequence[str], str]

# A merchant whose stock is taken by the payment is left out: a placement takes none of it, and so lacks none.
_AVAILABLE = """
SELECT sku, channel, available FROM unnest($1::text[], $2::text[]) AS asked(sku, channel)
JOIN stock USING (sku, channel) LEFT JOIN products USING (sku) LEFT JOIN merchants m USING (merchant)
WHERE m.stock_policy IS DISTINCT FROM 'DEDUCT_ON_PAYMENT'
"""

_KNOWN = "SELECT order_no FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_operations USING (order_no)"


class PostgresStockGate:
    """Implements `activities.stock_party.StockGate`. It remembers nothing, so a release opens it at once. Calls that
    come together share a read, which is never older than the call."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ask = Batcher[Asked, dict[str, int]]("look what is sold out", self._look)
        self._know = Batcher[str, bool]("look whose stock it is", self._look_for)

    async def available(self, lines: Sequence[StockLine], channel: str = MAIN_CHANNEL) -> dict[str, int]:
        skus = sorted({line.sku for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT})
        return await self._ask((skus, channel)) if skus else {}

    async def knows(self, order_no: str) -> bool:
        return await self._know(order_no)

    async def _look_for(self, order_nos: Sequence[str]) -> list[bool]:
        async with autocommit(self._engine) as db:
            rows = await db.fetch(_KNOWN, [int(order_no) for order_no in order_nos])
        known = {str(row["order_no"]) for row in rows}
        return [order_no in known for order_no in order_nos]

    async def _look(self, calls: Sequence[Asked]) -> list[dict[str, int]]:
        counters = sorted({(sku, channel) for skus, channel in calls for sku in skus})
        async with autocommit(self._engine) as db:
            rows = await db.fetch(_AVAILABLE, [sku for sku, _ in counters], [channel for _, channel in counters])
        there = {(row["sku"], row["channel"]): row["available"] for row in rows}
        return [
            {sku: left for sku in skus if (left := there.get((sku, channel))) is not None} for skus, channel in calls
        ]
