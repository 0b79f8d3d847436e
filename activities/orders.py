"""The order book, as the stories see it: what the platform itself writes down of an order, up to its split."""

from typing import Protocol

from temporalio import activity

from activities.attention import Noted
from activities.stock import ReshelvePieces
from domain.base import Message, Utc
from domain.order.acts import SubOrderEnded
from domain.order.cart import Cart, Terms
from domain.order.lines import OrderLine, Placement, PricedOrder, SubOrderPlan
from domain.order.payment import Capture
from domain.order.precedence import CaptureOutcome
from domain.order.reservation import StockLine
from domain.order.status import CloseReason


class RecordOrder(Message):
    """Idempotency key: the order, step `place`."""

    order_no: str
    caller: str
    cart: Cart
    terms: Terms
    priced: PricedOrder
    placed_at: Utc
    pay_by: Utc | None


class RecordRefusal(Message):
    """Idempotency key: the order, step `place`. No order is written, only the answer that the caller's key keeps."""

    placement: Placement
    to_operators: str
    at: Utc


class AcceptPayment(Message):
    """Idempotency key: the capture. Money that the order wants: the order is paid, and the journal says so."""

    order_no: str
    capture: Capture


class PaymentAccepted(Message):
    outcome: CaptureOutcome


class FileCaptures(Message):
    """Idempotency key: each capture. Money that the provider told of without a notification: as if it had been
    notified."""

    captures: list[Capture]


class SplitOrder(Message):
    """Idempotency key: the order, step `split`."""

    order_no: str
    terms: Terms
    at: Utc


class LinesToSplit(Message):
    """What is left to split of a paid order, and the plan that was made at its placement, if one was."""

    lines: list[OrderLine]
    shipping_fen: int
    plan: list[SubOrderPlan] | None = None
    closed: CloseReason | None = None


class RecordSplit(Message):
    """Idempotency key: the order, step `split`. The plan is what the warehouses have set aside for."""

    order_no: str
    plan: list[SubOrderPlan]
    at: Utc


class SplitDone(Message):
    """What came of the split. `closed` is set when the order was closed before, and so is not split."""

    sub_orders: list[SubOrderPlan]
    closed: CloseReason | None = None


class CloseOrder(Message):
    """Idempotency key: the order, step `close`. An order that was never split, with what was captured to be
    refunded."""

    order_no: str
    reason: CloseReason
    at: Utc


class Owed(Message):
    """What a closing or refund owes: the refund to make, the pieces to bring back under `key`, the sub-orders whose
    goods go back on the shelf, the others of which some do, and (`coupons`) the order's coupons, since nothing that was
    bought is left of it."""

    key: str = ""
    refund_no: str | None = None
    restock: list[StockLine] = []  # noqa: RUF012  pydantic copies it
    reshelve: list[str] = []  # noqa: RUF012
    reshelve_pieces: list[ReshelvePieces] = []  # noqa: RUF012
    coupons: bool = False


class OrderClosing(Message):
    """What came of closing an order. As a rule it is closed, and `owed` is what is to be given back; `paid` says that
    goods may be set aside for its split. `split`: it was split before, so it goes on and closes by its sub-orders;
    `owed` is what was decided before its split. `paid_after_all`: it was to close unpaid, but it is paid, and so it
    stays open."""

    split: bool = False
    paid_after_all: bool = False
    paid: bool = False
    owed: list[Owed] = []  # noqa: RUF012  pydantic copies it


class CloseLines(Message):
    """Idempotency key: the order, step `close-lines`. Whole lines of a paid order that is not split: their goods are
    gone. Of an order that was closed before, nothing."""

    order_no: str
    lines: list[int]
    at: Utc


class OrderOf(Message):
    order_no: str


class OrderFacts(Message):
    """How far an order has come, for a run that starts over: all of it empty for one that is new."""

    placement: Placement | None = None
    merchants: list[str] = []  # noqa: RUF012  pydantic copies it
    paid: bool = False
    close_reason: CloseReason | None = None
    split: bool = False
    ended: list[SubOrderEnded] = []  # noqa: RUF012  sub-orders that are received or closed
    owed: list[Owed] = []  # noqa: RUF012  what closings have decided to give back, those of ended sub-orders too


class OrderBook(Protocol):
    """The platform's own record of its orders, up to their split. Each call may be repeated; its key makes it
    count once."""

    async def order_facts(self, request: OrderOf) -> OrderFacts:
        """How far the order has come; all of it empty for an order that is not placed yet. Only reads."""
        ...

    async def record_order(self, request: RecordOrder) -> Placement:
        """Write the order, its lines and the answer that checkout gets. Idempotency key: the order, once it is written.
        A buyer who has too many unpaid orders gets a refusal, which leaves the key free for `record_refusal`."""
        ...

    async def record_refusal(self, request: RecordRefusal) -> Placement:
        """Keep a refusal as the answer that checkout gets; there is no order. Idempotency key: the order. If a lost try
        has placed the order, its placement is the answer, and the order stays."""
        ...

    async def accept_payment(self, request: AcceptPayment) -> PaymentAccepted:
        """The order is paid by this capture, unless it is closed, or paid by another. Idempotency key: the capture. A
        capture that is not accepted leaves nothing behind."""
        ...

    async def file_captures(self, request: FileCaptures) -> Noted:
        """Put captures into the inbox, as if they had been notified. Idempotency key: each capture."""
        ...

    async def lines_to_split(self, order_no: str) -> LinesToSplit:
        """What there is to split of a paid order, or why it was closed. Only reads."""
        ...

    async def record_split(self, request: RecordSplit) -> SplitDone:
        """Write the sub-orders of the plan. Idempotency key: the order, once they are written. An order that was closed
        before is not split."""
        ...

    async def close_lines(self, request: CloseLines) -> Owed:
        """Close whole lines, with the gifts given for nothing else, and decide their refund. Idempotency key: the
        order. Raises ValueError for an order that is split: its sub-orders are closed, and not its lines."""
        ...

    async def close_order(self, request: CloseOrder) -> OrderClosing:
        """Close an order that was never split, and decide the refund of what was captured. Idempotency key: the order,
        once it is closed. An order that is split, or that was to close unpaid and is paid, is left as it is."""
        ...


class OrderActivities:
    """Names as the timeline shows them. Each is one transaction with its key."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book

    @activity.defn
    async def look_up_order(self, request: OrderOf) -> OrderFacts:
        return await self._book.order_facts(request)

    @activity.defn
    async def record_order(self, request: RecordOrder) -> Placement:
        return await self._book.record_order(request)

    @activity.defn
    async def record_refusal(self, request: RecordRefusal) -> Placement:
        return await self._book.record_refusal(request)

    @activity.defn
    async def accept_payment(self, request: AcceptPayment) -> PaymentAccepted:
        return await self._book.accept_payment(request)

    @activity.defn
    async def file_captures(self, request: FileCaptures) -> Noted:
        return await self._book.file_captures(request)

    @activity.defn
    async def close_lines(self, request: CloseLines) -> Owed:
        return await self._book.close_lines(request)

    @activity.defn
    async def close_order(self, request: CloseOrder) -> OrderClosing:
        return await self._book.close_order(request)
