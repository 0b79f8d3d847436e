"""What parties do to an order: one model per act, the same over HTTP, on the command line and in the Temporal UI."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from domain.base import Document, Message, Utc
from domain.order.pieces import SomePieces
from domain.order.status import Action, Actor, Answer, CloseReason, Status, refusal


class Cancel(Document):
    """Cancel an order, or one sub-order by itself, before it ships."""

    actor: Actor = Actor.PLATFORM
    note: str = Field(default="", max_length=500)


class CancelPieces(Document):
    """Cancel some pieces of a sub-order before it ships; the others ship as before."""

    actor: Actor = Actor.PLATFORM
    lines: SomePieces
    note: str = Field(default="", max_length=500)


class Ship(Document):
    """A merchant gave the parcel to a carrier."""

    actor: Actor = Actor.PLATFORM
    carrier: str = Field(min_length=1, max_length=50)
    tracking_no: str = Field(min_length=1, max_length=100)


class Reschedule(Document):
    """A presale's ship date has changed: the goods came early, or are late. With a date that has already come, the
    sub-order is handed over now."""

    actor: Actor = Actor.PLATFORM
    ships_from: date


class Deliver(Document):
    """The carrier handed the parcel to the buyer."""

    actor: Actor = Actor.PLATFORM


class ConfirmReceipt(Document):
    """The buyer has the goods."""

    actor: Actor = Actor.PLATFORM


class Review(Document):
    """What the buyer thinks of a received sub-order."""

    rating: int = Field(ge=1, le=5)
    text: str = Field(default="", max_length=2_000)


class ScanKind(StrEnum):
    """The events a carrier may report. All are kept and shown; only DELIVERED moves the sub-order on."""

    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"


class Scan(Document):
    """A carrier's report. Idempotency key: `event_id`, the carrier's own; a repeat changes nothing."""

    event_id: str = Field(min_length=1, max_length=100)
    kind: ScanKind
    place: str = Field(default="", max_length=200)
    at: Utc


class SubOrderNews(Message):
    """What a sub-order's run tells its order's run: its status, and what it needs a person for.

    `text` says what is wrong under `topic`; None says that it has healed."""

    sub_order_no: str
    status: Status
    topic: str = ""
    text: str | None = None


class OrderClosed(Message):
    """What an order's run tells a sub-order's: it was closed with the order, which gives back goods and money."""

    reason: CloseReason


class OrderEnded(Message):
    """The result of an order's run: how it ended."""

    order_no: str
    status: Status
    close_reason: CloseReason | None = None
    detail: str = ""


class SubOrderEnded(Message):
    """The result of a sub-order's run: how it ended."""

    sub_order_no: str
    status: Status
    close_reason: CloseReason | None = None


def closing_answer(closed_for: CloseReason | None, actor: Actor) -> Answer:
    """The answer to a cancel of something that is closed already: done if this party's own cancel closed it,
    refused if anything else did."""
    if closed_for is cancel_reason(actor):
        return Answer(status=Status.CLOSED)
    return Answer(status=Status.CLOSED, refused=refusal(Status.CLOSED, Action.CANCEL, actor))


def cancel_reason(actor: Actor) -> CloseReason:
    if actor is Actor.BUYER:
        return CloseReason.CANCELLED_BY_BUYER
    if actor is Actor.MERCHANT:
        return CloseReason.CANCELLED_BY_MERCHANT
    if actor is Actor.CLOCK:  # only a back-order's clock cancels
        return CloseReason.OUT_OF_STOCK
    return CloseReason.CANCELLED_BY_PLATFORM
