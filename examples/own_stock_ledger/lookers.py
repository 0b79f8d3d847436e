"""Those who only look: the gate before checkout, the shelves to plan with, the holdings for the audit."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from activities.stock_party import BooksCompared, StockHeld
from domain.order.reservation import StockLine
from domain.order.stock import StockPolicy
from domain.records.audit import Finding
from domain.splitting.model import Warehouse
from examples.own_stock_ledger.stock_file import StockFile

# What lies on the lines must be what the counters say.
_DIFFERS = """
SELECT sku, c.reserved, c.sold, coalesce(l.reserved, 0) AS held, coalesce(l.sold, 0) AS gone
FROM counters c LEFT JOIN (
  SELECT sku, sum(quantity) FILTER (WHERE state = 'RESERVED') AS reserved,
    sum(quantity - restocked) FILTER (WHERE state = 'SOLD') AS sold
  FROM lines GROUP BY sku
) l USING (sku)
WHERE (c.reserved, c.sold) <> (coalesce(l.reserved, 0), coalesce(l.sold, 0)) ORDER BY sku
"""


class SqliteGate:
    """Implements `activities.stock_party.StockGate`."""

    def __init__(self, file: StockFile) -> None:
        self._file = file

    async def available(self, lines: Sequence[StockLine]) -> dict[str, int]:
        skus = {line.sku for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT}
        with self._file.reading() as db:
            rows = db.execute("SELECT sku FROM counters WHERE on_payment")
            on_payment = {row["sku"] for row in rows}
        return self._file.available(*(skus - on_payment))

    async def knows(self, order_no: str) -> bool:
        with self._file.reading() as db:
            return db.execute("SELECT 1 FROM orders WHERE order_no = ?", (int(order_no),)).fetchone() is not None


class SqliteShelves:
    """Implements `activities.stock_party.Shelves`: merchants keep their goods themselves."""

    def __init__(self, file: StockFile) -> None:
        self._file = file

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        return []

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        return self._file.available(*skus)


class SqliteHoldings:
    """Implements `activities.stock_party.StockHoldings`."""

    def __init__(self, file: StockFile) -> None:
        self._file = file

    async def holding(self, after: str, most: int) -> list[str]:
        next_ones = "SELECT order_no FROM orders WHERE state = 'HELD' AND order_no > ? ORDER BY order_no LIMIT ?"
        with self._file.reading() as db:
            return [str(row["order_no"]) for row in db.execute(next_ones, (int(after), most))]

    async def held(self, order_nos: Collection[str]) -> list[StockHeld]:
        with self._file.reading() as db:
            rows = [
                db.execute("SELECT order_no, state, since FROM orders WHERE order_no = ?", (int(order_no),)).fetchone()
                for order_no in order_nos
            ]
        return [
            StockHeld(
                order_no=str(row["order_no"]),
                sellable=row["state"] == "HELD",
                since=datetime.fromisoformat(row["since"]),
            )
            for row in rows
            if row is not None
        ]

    async def compare(self, most: int) -> BooksCompared:
        with self._file.reading() as db:
            rows = db.execute(_DIFFERS).fetchall()
        found = [
            Finding(
                subject=f"stock/own/{row['sku']}",
                text=f"{row['sku']}: {row['reserved']} reserved and {row['sold']} sold by the counter, "
                f"{row['held']} and {row['gone']} by the orders' lines",
            )
            for row in rows
        ]
        return BooksCompared(found=found[:most], more=max(0, len(found) - most))
