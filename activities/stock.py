"""The stock ledger, as a story sees it: four verbs."""

from typing import Protocol

from temporalio import activity

from domain.base import Message


class StockLine(Message):
    line_no: int
    sku: str
    quantity: int


class ReserveStock(Message):
    order_no: str
    lines: list[StockLine]


class Shortage(Message):
    line_no: int
    sku: str
    wanted: int
    available: int


class Reserved(Message):
    """All of the lines are held, or none is and `short` says which were lacking."""

    short: list[Shortage]
    released_before: bool = False  # the release came first: nothing may be held any more


class StockOf(Message):
    order_no: str


class Restock(Message):
    """Bring back what was deducted. `reason_key` is the closing or refund it belongs to."""

    order_no: str
    reason_key: str
    lines: list[StockLine]


class Moved(Message):
    """How many pieces a release, deduction or restock moved."""

    pieces: int


class StockLedger(Protocol):
    """Put your own stock service behind this. Each call may be repeated; the key makes it count once."""

    async def reserve(self, request: ReserveStock) -> Reserved:
        """All or nothing. Key: the order. After a release of the same order it takes nothing, for ever."""
        ...

    async def release(self, request: StockOf) -> Moved:
        """End the order's reservations. Key: the order. Nothing to release is a success, and leaves a tombstone."""
        ...

    async def deduct(self, request: StockOf) -> Moved:
        """Turn the order's reservations into sold goods. Key: the order."""
        ...

    async def restock(self, request: Restock) -> Moved:
        """Bring deducted pieces back. Key: the order and the refund."""
        ...


class StockActivities:
    def __init__(self, ledger: StockLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def reserve_stock(self, request: ReserveStock) -> Reserved:
        return await self._ledger.reserve(request)

    @activity.defn
    async def release_stock(self, request: StockOf) -> Moved:
        return await self._ledger.release(request)

    @activity.defn
    async def deduct_stock(self, request: StockOf) -> Moved:
        return await self._ledger.deduct(request)

    @activity.defn
    async def restock(self, request: Restock) -> Moved:
        return await self._ledger.restock(request)
