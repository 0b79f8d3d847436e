"""The stock ledger, as a story sees it: four verbs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from temporalio import activity

from domain.base import Message, Utc
from domain.order import SubOrderPlan
from domain.split_model import Warehouse
from domain.stock import StockPolicy


class StockLine(Message):
    line_no: int
    sku: str
    quantity: int
    policy: StockPolicy = StockPolicy.RESERVE_ON_PLACEMENT


class Plan(Message):
    """The sub-orders to come, with what is set aside for each."""

    sub_orders: list[SubOrderPlan]


class ReserveStock(Message):
    order_no: str
    lines: list[StockLine]
    buyer_id: int = 0
    at: Utc | None = None


class OverLimit(Message):
    line_no: int
    sku: str
    wanted: int
    bought: int
    limit: int
    window_s: int


class Shortage(Message):
    line_no: int
    sku: str
    wanted: int
    available: int


class Reserved(Message):
    """All of the lines are held, or none is and `short` says which were lacking."""

    short: list[Shortage]
    released_before: bool = False  # the release came first: nothing may be held any more
    over_limit: list[OverLimit] = []  # noqa: RUF012  pydantic copies it


class StockOf(Message):
    """`sold_too`: what is deducted already goes back as well, since the order closes before it is split."""

    order_no: str
    sold_too: bool = False


class Restock(Message):
    """Bring back what was deducted. `reason_key` is the closing or refund it belongs to."""

    order_no: str
    reason_key: str
    lines: list[StockLine]


class Moved(Message):
    """How many pieces a release, deduction or restock moved."""

    pieces: int


class Deducted(Moved):
    """`short`: lines that are taken only when they are paid (DEDUCT_ON_PAYMENT), and are gone by now."""

    short: list[Shortage] = []  # noqa: RUF012  pydantic copies it


class GoodsOf(Message):
    """Of one sub-order, in its warehouse."""

    sub_order_no: str


class GoodsTaken(Message):
    taken: bool


class StockLedger(Protocol):
    """Put your own stock service behind this. Each call may be repeated; the key makes it count once."""

    async def reserve(self, request: ReserveStock) -> Reserved:
        """All or nothing. Key: the order. After a release of the same order it takes nothing, for ever."""
        ...

    async def release(self, request: StockOf) -> Moved:
        """End the order's reservations. Key: the order. Nothing to release is a success, and leaves a tombstone."""
        ...

    async def deduct(self, request: StockOf) -> Deducted:
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
    async def deduct_stock(self, request: StockOf) -> Deducted:
        return await self._ledger.deduct(request)

    @activity.defn
    async def restock(self, request: Restock) -> Moved:
        return await self._ledger.restock(request)


class Warehouses(Protocol):
    """Put your own warehouse stock behind this: what lies on the shelves, and for which sub-order it is set aside."""

    async def set_aside(
        self, order_no: str, wanted: Mapping[str, Collection[str]], plan: Callable[[Sequence[Warehouse]], Plan]
    ) -> Plan:
        """Plan with what lies in these merchants' warehouses of these SKUs, and set it aside. Key: the order; a
        repeat returns the first plan. Nothing is set aside for a sub-order that is a back-order."""
        ...

    async def take(self, request: GoodsOf) -> GoodsTaken:
        """Set the goods of a back-order aside, if they are there now. Key: the sub-order."""
        ...

    async def ship(self, request: GoodsOf) -> Moved:
        """The goods have left the warehouse. Key: the sub-order."""
        ...

    async def put_back(self, request: GoodsOf) -> Moved:
        """The sub-order was closed before it shipped. Key: the sub-order; a late `take` takes nothing any more."""
        ...


class WarehouseActivities:
    def __init__(self, warehouses: Warehouses) -> None:
        self._warehouses = warehouses

    @activity.defn
    async def take_goods(self, request: GoodsOf) -> GoodsTaken:
        return await self._warehouses.take(request)

    @activity.defn
    async def ship_goods(self, request: GoodsOf) -> Moved:
        return await self._warehouses.ship(request)

    @activity.defn
    async def put_back_goods(self, request: GoodsOf) -> Moved:
        return await self._warehouses.put_back(request)
