"""The stock ledgers, as a story sees them: four verbs for what is sold, three for what lies in a warehouse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel, Field
from temporalio import activity

from domain.base import Message
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine
from domain.splitting.model import Warehouse

Answer = TypeVar("Answer", bound=BaseModel)


class StockOf(Message):
    order_no: str


class ReleaseStock(StockOf):
    """`sold`: what was sold goes back too. Only for an order that is closed and was never split: a lost try may have
    come as far as selling."""

    sold: bool = False


class Restock(Message):
    """Bring back what was deducted. `reason_key` is the closing or refund it belongs to."""

    order_no: str
    reason_key: str
    lines: list[StockLine]


class Moved(Message):
    """How many pieces a call moved."""

    pieces: int


class Deducted(Moved):
    """`short`: lines under DEDUCT_ON_PAYMENT that found too little. They are released: refund them."""

    short: list[Shortage] = Field(default_factory=list)


class Allocation(Message):
    """Pieces of an order line that a warehouse sends in a sub-order; `sub_key` is the sub-order's number."""

    sub_key: str
    sku: str
    warehouse: str
    quantity: int
    line_no: int


class TakeGoods(Message):
    """What a back-ordered sub-order waits for."""

    sub_order_no: str
    warehouse: str
    lines: list[StockLine]


class GoodsTaken(Message):
    taken: bool


class GoodsOf(Message):
    sub_order_no: str


class ReshelvePieces(Message):
    """Some pieces of what is, or would be, reserved for a sub-order. `reason_key` is the refund they belong to."""

    sub_order_no: str
    reason_key: str
    lines: list[StockLine]


class StockLedger(Protocol):
    """Sellable stock (可售库存). Put your own service behind this. Each call may be repeated; its key makes it
    count once. A call that is shed (too many wait) is an error, and is to be tried again."""

    async def reserve(self, request: ReserveStock) -> Reserved:
        """Reserve all of the lines, or none. Idempotency key: the order. After a release of the same order it takes
        nothing, for ever."""
        ...

    async def release(self, request: ReleaseStock) -> Moved:
        """End the order's reservations. Idempotency key: the order. Nothing to release is a success, and leaves a
        tombstone: a later reserve hears of it. When it brought back what was sold, a later deduct finds every line
        short, and a later restock nothing to bring back."""
        ...

    async def deduct(self, request: StockOf) -> Deducted:
        """Turn the order's lines into sold goods; reserved ones always, promised ones as far as there is stock.
        Idempotency key: the order. Before its reserve it moves nothing, and is not remembered; after its release every
        line is short."""
        ...

    async def restock(self, request: Restock) -> Moved:
        """Bring deducted pieces back. Idempotency key: the order and the refund."""
        ...


class PhysicalLedger(Protocol):
    """Physical stock (实物库存), by warehouse. Each call may be repeated; its key makes it count once."""

    async def allocate(
        self,
        order_no: str,
        skus: Mapping[str, str],
        plan: Callable[[list[Warehouse]], tuple[Answer, Sequence[Allocation]]],
        answer: type[Answer],
    ) -> Answer:
        """Show `plan` what lies in the warehouses of the SKUs' merchants (`skus`: merchant by SKU), reserve what it
        allocates, and keep its answer. Nobody else takes of it meanwhile, so `plan` must be pure and quick. A merchant
        without warehouses is not shown. Idempotency key: the order."""
        ...

    async def release(self, request: StockOf) -> Moved:
        """What is reserved for an order that is closed and was never split lies there for others. Idempotency key: the
        order. Nothing to release is a success, and leaves a tombstone: a later `allocate` reserves nothing."""
        ...

    async def take_goods(self, request: TakeGoods) -> GoodsTaken:
        """Reserve all pieces of a back-ordered sub-order, less those that were reshelved, or none. Idempotency key: the
        sub-order, once they are taken; until then ask again. After its `reshelve` it takes nothing, for ever."""
        ...

    async def ship_goods(self, request: GoodsOf) -> Moved:
        """What is reserved for the sub-order has left the warehouse. Idempotency key: the sub-order."""
        ...

    async def reshelve(self, request: GoodsOf) -> Moved:
        """What is reserved for the sub-order, and not shipped, lies there for others. Idempotency key: the
        sub-order."""
        ...

    async def reshelve_pieces(self, request: ReshelvePieces) -> Moved:
        """These pieces are not wanted any more: they lie there for others, or are never taken. Idempotency key: the
        sub-order and the refund. What has shipped is left as it is."""
        ...


class StockActivities:
    def __init__(self, ledger: StockLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def reserve_stock(self, request: ReserveStock) -> Reserved:
        return await self._ledger.reserve(request)

    @activity.defn
    async def release_stock(self, request: ReleaseStock) -> Moved:
        return await self._ledger.release(request)

    @activity.defn
    async def deduct_stock(self, request: StockOf) -> Deducted:
        return await self._ledger.deduct(request)

    @activity.defn
    async def restock(self, request: Restock) -> Moved:
        return await self._ledger.restock(request)


class GoodsActivities:
    def __init__(self, physical: PhysicalLedger) -> None:
        self._physical = physical

    @activity.defn
    async def release_goods(self, request: StockOf) -> Moved:
        return await self._physical.release(request)

    @activity.defn
    async def take_goods(self, request: TakeGoods) -> GoodsTaken:
        return await self._physical.take_goods(request)

    @activity.defn
    async def ship_goods(self, request: GoodsOf) -> Moved:
        return await self._physical.ship_goods(request)

    @activity.defn(name="put_back_goods")
    async def reshelve_goods(self, request: GoodsOf) -> Moved:
        return await self._physical.reshelve(request)

    @activity.defn(name="put_back_pieces")
    async def reshelve_pieces(self, request: ReshelvePieces) -> Moved:
        return await self._physical.reshelve_pieces(request)
