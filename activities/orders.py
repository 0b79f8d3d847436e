"""The order book, as the stories see it: what the house itself writes down of an order and its sub-orders."""

from datetime import date
from typing import Protocol

from temporalio import activity

from activities.stock import ReshelvePieces, StockLine
from domain.base import Message, Utc
from domain.order.acts import SubOrderEnded
from domain.order.cart import Cart, Terms
from domain.order.lines import OrderLine, Placement, PricedOrder, SubOrderPlan
from domain.order.payment import Capture
from domain.order.pieces import Pieces
from domain.order.precedence import CaptureOutcome
from domain.order.status import Actor, Answer, CloseReason, Refused, Status


class RecordOrder(Message):
    """Key: the order, step `place`."""

    order_no: str
    caller: str
    cart: Cart
    terms: Terms
    priced: PricedOrder
    placed_at: Utc
    pay_by: Utc | None


class RecordRefusal(Message):
    """Key: the order, step `place`. No order row: only the answer that the caller's key keeps."""

    placement: Placement
    to_operators: str
    at: Utc


class AcceptPayment(Message):
    """Key: the capture. Money that the order wants: the order is paid, and the journal says so."""

    order_no: str
    capture: Capture


class PaymentAccepted(Message):
    outcome: CaptureOutcome


class FileCaptures(Message):
    """Key: each capture. Money that the provider told of without a notification: as if it had been notified."""

    captures: list[Capture]


class SplitOrder(Message):
    """Key: the order, step `split`."""

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
    """Key: the order, step `split`. The plan is what the warehouses have set aside for."""

    order_no: str
    plan: list[SubOrderPlan]
    at: Utc


class SplitDone(Message):
    """`closed`: it was closed before, and is not split."""

    sub_orders: list[SubOrderPlan]
    closed: CloseReason | None = None


class CloseOrder(Message):
    """Key: the order, step `close`. An order that was never split, with what was captured to be refunded."""

    order_no: str
    reason: CloseReason
    at: Utc


class CloseSubOrders(Message):
    """Key: the order or sub-order, step `cancel`. All that are named, or none if one of them may not be closed.
    A closing is kept under its key; a refusal is not, since the next one may find another state."""

    order_no: str
    sub_order_no: str | None  # None: every one that is not closed yet
    actor: Actor
    reason: CloseReason
    note: str
    at: Utc


class Owed(Message):
    """What a closing or refund owes: the refund to make, the pieces to bring back under `key`, the sub-orders whose
    goods go back on the shelf, the others of which some do, and (`coupons`) the order's coupons, since nothing that was
    bought is left of it."""

    key: str = ""
    refund_no: str | None = None
    restock: list[StockLine] = []  # noqa: RUF012  pydantic copies it
    put_back: list[str] = []  # noqa: RUF012
    put_back_pieces: list[ReshelvePieces] = []  # noqa: RUF012
    coupons: bool = False


class ClosePieces(Message):
    """Key: the sub-order, step `pieces`, and the id of the act. Pieces of a sub-order that has not shipped, all or
    none. A refusal is not kept under the key, as with `CloseSubOrders`."""

    key: str
    sub_order_no: str
    lines: list[Pieces]
    actor: Actor
    reason: CloseReason
    note: str
    at: Utc


class PiecesClosed(Message):
    """`left` is what the sub-order still ships; `closed` are sub-orders, this one or those of its gifts, that have
    nothing left."""

    refused: Refused | None = None
    left: list[Pieces] = []  # noqa: RUF012  pydantic copies it
    closed: list[str] = []  # noqa: RUF012
    amount_fen: int = 0
    pay_back: Owed = Owed()


class OrderClosing(Message):
    """What came of closing an order. As a rule it is closed, and `owed` is what is to be given back; `paid` says that
    goods may be set aside for its split. `split`: it was split before, so it goes on and closes by its sub-orders;
    `owed` is what was decided before its split. `stands`: it was to close unpaid, and is paid, so it stays open."""

    split: bool = False
    stands: bool = False
    paid: bool = False
    owed: list[Owed] = []  # noqa: RUF012  pydantic copies it


class CloseLines(Message):
    """Key: the order, step `close-lines`. Whole lines of a paid order that is not split: their goods are gone. Of an
    order that was closed before, nothing."""

    order_no: str
    lines: list[int]
    at: Utc


class Closed(Message):
    refused: Refused | None = None
    closed: list[str] = []  # noqa: RUF012  pydantic copies it
    reason: CloseReason | None = None  # of the closing that counts, which may be another party's
    pay_back: Owed = Owed()


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


class SubOrderOf(Message):
    sub_order_no: str


class SubOrderFacts(Message):
    """How far a sub-order has come, for a run that starts over. `left` is what it (still) ships, after `revision`
    changes of that."""

    status: Status
    delivered: bool
    ships_from: date | None = None
    close_reason: CloseReason | None = None
    left: list[Pieces] = []  # noqa: RUF012  pydantic copies it
    revision: int = 0
    owed: list[Owed] = []  # noqa: RUF012  what its own cancels have decided to give back


class RecordRescheduled(Message):
    """Key: the sub-order and the date; the same date again is the same answer."""

    sub_order_no: str
    actor: Actor
    ships_from: date
    at: Utc


class RecordShipped(Message):
    """Key: the sub-order, step `ship`; the same tracking number again is the same answer."""

    sub_order_no: str
    actor: Actor
    carrier: str
    tracking_no: str
    at: Utc


class LineCodes(Message):
    """What was given for an order line of virtual goods."""

    line_no: int
    codes: list[str]


class RecordGranted(Message):
    """Key: the sub-order, step `grant`. Virtual goods: what the merchant gave instead of a parcel."""

    sub_order_no: str
    lines: list[LineCodes]


class RecordDelivered(Message):
    """Key: the sub-order, step `deliver`."""

    sub_order_no: str
    actor: Actor
    at: Utc


class RecordReceived(Message):
    """Key: the sub-order, step `receive`."""

    sub_order_no: str
    actor: Actor
    at: Utc


class RecordAttention(Message):
    """Key: the order, subject and topic, for as long as it lasts. `text` None: it has healed. `while_open`: nobody is
    needed for it once the order has ended, and then nothing is noted."""

    order_no: str
    subject: str  # '' for the order, else the sub-order's number
    topic: str
    text: str | None
    alarm: bool = True
    while_open: bool = False
    at: Utc


class Noted(Message):
    changed: bool


class OrderBook(Protocol):
    """The platform's own record of its orders. Every call may be repeated and counts once under its key."""

    async def order_facts(self, request: OrderOf) -> OrderFacts: ...
    async def record_order(self, request: RecordOrder) -> Placement: ...
    async def record_refusal(self, request: RecordRefusal) -> Placement: ...
    async def accept_payment(self, request: AcceptPayment) -> PaymentAccepted: ...
    async def file_captures(self, request: FileCaptures) -> Noted: ...
    async def lines_to_split(self, order_no: str) -> LinesToSplit: ...
    async def record_split(self, request: RecordSplit) -> SplitDone: ...
    async def close_lines(self, request: CloseLines) -> Owed: ...
    async def close_order(self, request: CloseOrder) -> OrderClosing: ...
    async def close_sub_orders(self, request: CloseSubOrders) -> Closed: ...
    async def record_rescheduled(self, request: RecordRescheduled) -> Answer: ...
    async def close_pieces(self, request: ClosePieces) -> PiecesClosed: ...
    async def record_shipped(self, request: RecordShipped) -> Answer: ...
    async def record_delivered(self, request: RecordDelivered) -> Answer: ...
    async def record_received(self, request: RecordReceived) -> Answer: ...
    async def record_attention(self, request: RecordAttention) -> Noted: ...
    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts: ...


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

    @activity.defn
    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        return await self._book.close_sub_orders(request)

    @activity.defn
    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        return await self._book.record_rescheduled(request)

    @activity.defn
    async def close_pieces(self, request: ClosePieces) -> PiecesClosed:
        return await self._book.close_pieces(request)

    @activity.defn
    async def record_shipped(self, request: RecordShipped) -> Answer:
        return await self._book.record_shipped(request)

    @activity.defn
    async def record_delivered(self, request: RecordDelivered) -> Answer:
        return await self._book.record_delivered(request)

    @activity.defn
    async def record_received(self, request: RecordReceived) -> Answer:
        return await self._book.record_received(request)

    @activity.defn
    async def record_attention(self, request: RecordAttention) -> Noted:
        return await self._book.record_attention(request)

    @activity.defn
    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        return await self._book.sub_order_facts(request)
