"""Those who only look at the stock in memory, and the whole set."""

from collections.abc import Collection, Mapping, Sequence

from activities.stock_party import BooksCompared, StockHeld, StockParty
from domain.order.reservation import StockLine
from domain.order.stock import StockPolicy
from domain.splitting.model import Warehouse
from examples.own_stock_ledger.no_warehouses import NoWarehouses
from tests.support.memory.stock import HELD_STATES, MemoryStock


class MemoryLookers:
    """Implements `StockGate`, `Shelves` and `StockHoldings` of `activities.stock_party`."""

    def __init__(self, stock: MemoryStock) -> None:
        self._stock = stock

    async def available(self, lines: Sequence[StockLine]) -> Mapping[str, int]:
        taken = {line.sku for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT}
        return {sku: self._stock.available(sku) for sku in taken if sku in self._stock.received}

    async def knows(self, order_no: str) -> bool:
        return order_no in self._stock.orders

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        return []

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        return {sku: self._stock.available(sku) for sku in skus if sku in self._stock.received}

    async def holding(self, after: str, most: int) -> list[str]:
        numbers = [number for number in self._stock.orders if int(number) > int(after) and self._holds(number)]
        return sorted(numbers, key=int)[:most]

    async def held(self, order_nos: Collection[str]) -> list[StockHeld]:
        return [
            StockHeld(order_no=number, sellable=self._holds(number), since=self._stock.orders[number].since)
            for number in order_nos
            if number in self._stock.orders
        ]

    async def compare(self, most: int) -> BooksCompared:
        """There are no counters beside the lines; but no SKU may be oversold."""
        assert all(self._stock.available(sku) >= 0 for sku in self._stock.received)
        return BooksCompared(found=[])

    def _holds(self, order_no: str) -> bool:
        return any(kept.state in HELD_STATES for kept in self._stock.orders[order_no].lines)


def memory_stock(stock: MemoryStock) -> StockParty:
    lookers = MemoryLookers(stock)
    return StockParty(ledger=stock, physical=NoWarehouses(), gate=lookers, shelves=lookers, holdings=lookers)
