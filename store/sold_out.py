"""The gate before the ledger: what is plainly sold out is refused without starting anything."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Shortage, StockLine
from domain.stock import MAIN_CHANNEL, StockPolicy
from store.batcher import Batcher
from store.raw import autocommit

Asked = tuple[Sequence[StockLine], str]

# What a merchant lets be taken by the payment only is not refused before it: its placement takes nothing.
_AVAILABLE = """
SELECT sku, channel, available FROM unnest($1::text[], $2::text[]) AS asked(sku, channel)
JOIN stock USING (sku, channel) LEFT JOIN products USING (sku) LEFT JOIN merchants m USING (merchant)
WHERE m.stock_policy IS DISTINCT FROM 'DEDUCT_ON_PAYMENT'
"""


class PostgresStockGate:
    """Only ever refuses; the ledger decides. It remembers nothing, so a release opens it at once. Calls that come
    together share a read, which is never older than the call."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ask = Batcher[Asked, list[Shortage]]("look what is sold out", self._look)

    async def sold_out(self, lines: Sequence[StockLine], channel: str = MAIN_CHANNEL) -> list[Shortage]:
        """The lines for which there is too little now. A SKU that was never received is the ledger's to refuse."""
        asked = [line for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT]
        return await self._ask((asked, channel)) if asked else []

    async def _look(self, calls: Sequence[Asked]) -> list[list[Shortage]]:
        counters = sorted({(line.sku, channel) for lines, channel in calls for line in lines})
        async with autocommit(self._engine) as db:
            rows = await db.fetch(_AVAILABLE, [sku for sku, _ in counters], [channel for _, channel in counters])
        there = {(row["sku"], row["channel"]): row["available"] for row in rows}
        return [_short(lines, channel, there) for lines, channel in calls]


def _short(lines: Sequence[StockLine], channel: str, there: dict[tuple[str, str], int]) -> list[Shortage]:
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return [
        Shortage(line_no=line.line_no, sku=line.sku, wanted=wanted[line.sku], available=available)
        for line in lines
        if (available := there.get((line.sku, channel))) is not None and available < wanted[line.sku]
    ]
