"""What the two stock ledgers in PostgreSQL hold, and whether it adds up, as the audit asks."""

from collections.abc import Collection, Iterable
from datetime import UTC
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock_party import BooksCompared, StockHeld
from domain.records.audit import Finding
from store.database.engine import looking, single

# The next numbers under which something is held. Each part has an index of its own.
_HOLDING = """
WITH due AS (
  (SELECT order_no FROM stock_operations
   WHERE order_no > :after AND outcome = 'TAKEN' AND released_pieces IS NULL AND deducted IS NULL
   ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM physical_reservations WHERE order_no > :after AND state = 'RESERVED'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
)
SELECT order_no FROM due ORDER BY order_no LIMIT :most
"""

_HELD = """
SELECT n.order_no, op.placed_at AS since,
  op.outcome = 'TAKEN' AND op.released_pieces IS NULL AND op.deducted IS NULL AS sellable,
  ARRAY(
    SELECT DISTINCT r.sub_order_no FROM physical_reservations r
    WHERE r.order_no = n.order_no AND r.state = 'RESERVED' ORDER BY 1
  ) AS goods
FROM unnest(CAST(:numbers AS bigint[])) AS n(order_no)
LEFT JOIN stock_operations op USING (order_no)
"""

# Each row is one counter of one ledger. One statement sees one moment: counters and what they count go together.
_SELLABLE = """
WITH held AS (
  SELECT sku, channel, sum(quantity) FILTER (WHERE state = 'RESERVED') AS reserved,
    sum(quantity - restocked) FILTER (WHERE state = 'DEDUCTED') AS gone
  FROM stock_reservations GROUP BY sku, channel
), entered AS (
  SELECT sku, channel, sum(available) AS available, sum(reserved) AS reserved, sum(gone) AS gone
  FROM stock_entries WHERE channel IS NOT NULL GROUP BY sku, channel
)
SELECT sku, channel AS place, coalesce(s.sellable_total, 0) AS total,
  coalesce(s.available, 0) AS available, coalesce(s.reserved, 0) AS reserved, coalesce(s.deducted, 0) AS gone,
  coalesce(h.reserved, 0)::bigint AS held_reserved, coalesce(h.gone, 0)::bigint AS held_gone,
  coalesce(e.available, 0)::bigint AS entered_available, coalesce(e.reserved, 0)::bigint AS entered_reserved,
  coalesce(e.gone, 0)::bigint AS entered_gone
FROM stock s FULL JOIN held h USING (sku, channel) FULL JOIN entered e USING (sku, channel)
"""

_PHYSICAL = """
WITH held AS (
  SELECT sku, warehouse, sum(quantity) FILTER (WHERE state = 'RESERVED') AS reserved,
    sum(quantity) FILTER (WHERE state = 'SHIPPED') AS gone
  FROM physical_reservations GROUP BY sku, warehouse
), entered AS (
  SELECT sku, warehouse, sum(available) AS available, sum(reserved) AS reserved, sum(gone) AS gone
  FROM stock_entries WHERE warehouse IS NOT NULL GROUP BY sku, warehouse
)
SELECT sku, warehouse AS place, coalesce(s.total, 0) AS total,
  coalesce(s.available, 0) AS available, coalesce(s.reserved, 0) AS reserved, coalesce(s.shipped, 0) AS gone,
  coalesce(h.reserved, 0)::bigint AS held_reserved, coalesce(h.gone, 0)::bigint AS held_gone,
  coalesce(e.available, 0)::bigint AS entered_available, coalesce(e.reserved, 0)::bigint AS entered_reserved,
  coalesce(e.gone, 0)::bigint AS entered_gone
FROM physical_stock s FULL JOIN held h USING (sku, warehouse) FULL JOIN entered e USING (sku, warehouse)
"""

_DIFFERS = """
SELECT * FROM ({counters}) AS c
WHERE total <> available + reserved + gone OR least(available, reserved, gone) < 0
  OR (reserved, gone) IS DISTINCT FROM (held_reserved, held_gone)
  OR (available, reserved, gone) IS DISTINCT FROM (entered_available, entered_reserved, entered_gone)
ORDER BY sku, place LIMIT :most
"""


class PostgresHoldings:
    """Implements `activities.stock_party.StockHoldings`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._looking = looking(engine)
        self._single = single(engine)

    async def holding(self, after: str, most: int) -> list[str]:
        async with self._single.connect() as db:
            numbers = await db.scalars(text(_HOLDING), {"after": int(after), "most": most})
            return [str(number) for number in numbers]

    async def held(self, order_nos: Collection[str]) -> list[StockHeld]:
        async with self._single.connect() as db:
            rows = await db.execute(text(_HELD), {"numbers": [int(order_no) for order_no in order_nos]})
            return [
                StockHeld(
                    order_no=str(row.order_no),
                    sellable=bool(row.sellable),
                    goods=row.goods,
                    since=row.since.astimezone(UTC) if row.since else None,
                )
                for row in rows
            ]

    async def compare(self, most: int) -> BooksCompared:
        found: list[Finding] = []
        async with self._looking.connect() as db:
            for ledger, counters in (("sellable", _SELLABLE), ("physical", _PHYSICAL)):
                differing = text(_DIFFERS.format(counters=counters))
                rows = (await db.execute(differing, {"most": most + 1})).all()
                found += [_does_not_add_up(ledger, row) for row in rows]
        return BooksCompared(found=found[:most], more=max(0, len(found) - most))


def _does_not_add_up(ledger: str, row: Row[Any]) -> Finding:
    told = {
        "counters": (row.available, row.reserved, row.gone),
        "entries": (row.entered_available, row.entered_reserved, row.entered_gone),
    }
    said = "; ".join(f"{name}: {_three(values)}" for name, values in told.items())
    held = f"reservations: {row.held_reserved} reserved, {row.held_gone} gone"
    where = f"{row.sku}, {row.place}"
    return Finding(subject=f"stock/{ledger}/{row.sku}/{row.place}", text=f"{where}: {said}; {held}; total {row.total}")


def _three(values: Iterable[int]) -> str:
    available, reserved, gone = values
    return f"{available} available, {reserved} reserved, {gone} gone"
