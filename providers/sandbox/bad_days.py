"""What can go wrong at the parties, switched on by tests and demos at `PUT /bad-days`. All off by default."""

from typing import Annotated

from pydantic import Field

from domain.base import Document

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]


class BadDays(Document):
    """The switches. *Fails*: 503, nothing done. *Hangs*: done at once, answered so much later."""

    create_fails: bool = False
    create_hangs_s: Seconds = 0
    query_fails: bool = False
    """Of payments and of refunds."""
    close_fails: bool = False
    close_hangs_s: Seconds = 0
    close_finds_paid: bool = False
    """The buyer's money arrives just before the close of an open payment, which then answers that it is paid."""
    capture_off_fen: Annotated[int, Field(ge=-(10**12), le=10**12)] = 0
    """The bank takes so much more, or less, than the buyer was asked for; at least 1 fen."""
    capture_currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    """The bank takes another currency than the buyer was asked for."""
    refund_fails: bool = False
    refund_refuses: bool = False
    refund_times_out: bool = False
    """The money moves, but the answer comes later than anybody waits."""
    notify_duplicates: Annotated[int, Field(ge=0, le=100)] = 0
    """How many more times a notification is sent although it was acknowledged."""
    notify_delay_s: Seconds = 0
    notify_reversed: bool = False
    """Of the captures of one payment act, the last is told first."""
    hand_over_fails_for: tuple[str, ...] = ()
    """The merchants whose intake is down."""
    hand_over_hangs_s: Seconds = 0
