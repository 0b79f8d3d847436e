"""The sub-order book, as the stories see it: what the platform itself writes down of sub-orders."""

from datetime import date
from typing import Protocol

from temporalio import activity

from activities.orders import Owed
from domain.base import Message, Utc
from domain.order.pieces import Pieces
from domain.order.status import Actor, Answer, CloseReason, Refused, Status


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


class CloseSubOrders(Message):
    """Idempotency key: the order or sub-order, step `cancel`. All that are named, or none if one of them may not be
    closed. A closing is kept under its key; a refusal is not, since the next one may find another state."""

    order_no: str
    sub_order_no: str | None  # None: every one that is not closed yet
    actor: Actor
    reason: CloseReason
    note: str
    at: Utc


class Closed(Message):
    refused: Refused | None = None
    closed: list[str] = []  # noqa: RUF012  pydantic copies it
    reason: CloseReason | None = None  # of the closing that came first, which may be another party's
    owed: Owed = Owed()


class ClosePieces(Message):
    """Idempotency key: the sub-order, step `pieces`, and the id of the act. Pieces of a sub-order that has not shipped,
    all or none. A refusal is not kept under the key, as with `CloseSubOrders`."""

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
    owed: Owed = Owed()


class RecordRescheduled(Message):
    """Idempotency key: the sub-order and the date; the same date again is the same answer."""

    sub_order_no: str
    actor: Actor
    ships_from: date
    at: Utc


class RecordShipped(Message):
    """Idempotency key: the sub-order, step `ship`; the same tracking number again is the same answer."""

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
    """Idempotency key: the sub-order, step `grant`. Virtual goods: what the merchant gave instead of a parcel."""

    sub_order_no: str
    lines: list[LineCodes]


class RecordDelivered(Message):
    """Idempotency key: the sub-order, step `deliver`."""

    sub_order_no: str
    actor: Actor
    at: Utc


class RecordReceived(Message):
    """Idempotency key: the sub-order, step `receive`."""

    sub_order_no: str
    actor: Actor
    at: Utc


class SubOrderBook(Protocol):
    """The platform's own record of its sub-orders, from the split on. Each call may be repeated; its key makes
    it count once. An act that the state does not allow is refused by a value."""

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        """How far the sub-order has come. Only reads. There must be such a sub-order."""
        ...

    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        """Close all that are named, with all that is left of them, and decide their refund; or close none. Idempotency
        key: the order or the sub-order, once they are closed."""
        ...

    async def close_pieces(self, request: ClosePieces) -> PiecesClosed:
        """Close pieces of one sub-order, with the gifts given for nothing else, and decide their refund; or close none.
        Idempotency key: the sub-order and the id of the act, once they are closed."""
        ...

    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        """A presale ships from another date. Idempotency key: the sub-order and the date. Refused once it has been
        handed over."""
        ...

    async def record_shipped(self, request: RecordShipped) -> Answer:
        """A carrier has the parcel. Idempotency key: the sub-order, the carrier and the tracking number, once it is
        shipped. A presale is refused before its date."""
        ...

    async def record_delivered(self, request: RecordDelivered) -> Answer:
        """The carrier has delivered the parcel. Idempotency key: the sub-order; the first time it was delivered is
        kept."""
        ...

    async def record_received(self, request: RecordReceived) -> Answer:
        """The buyer has the goods, and the member's points are earned. Idempotency key: the sub-order."""
        ...


class SubOrderActivities:
    """Names as the timeline shows them. Each is one transaction with its key."""

    def __init__(self, book: SubOrderBook) -> None:
        self._book = book

    @activity.defn
    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        return await self._book.sub_order_facts(request)

    @activity.defn
    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        return await self._book.close_sub_orders(request)

    @activity.defn
    async def close_pieces(self, request: ClosePieces) -> PiecesClosed:
        return await self._book.close_pieces(request)

    @activity.defn
    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        return await self._book.record_rescheduled(request)

    @activity.defn
    async def record_shipped(self, request: RecordShipped) -> Answer:
        return await self._book.record_shipped(request)

    @activity.defn
    async def record_delivered(self, request: RecordDelivered) -> Answer:
        return await self._book.record_delivered(request)

    @activity.defn
    async def record_received(self, request: RecordReceived) -> Answer:
        return await self._book.record_received(request)
