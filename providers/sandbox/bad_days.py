"""What can go wrong at the parties. Tests and demos switch it on at `PUT /bad-days`; by default all is off."""

from typing import Annotated

from pydantic import Field

from domain.base import Document

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]


class BadDays(Document):
    """The switches. What *fails* answers 503 and does nothing; what *hangs* is done at once and answered this many
    seconds later."""

    create_fails: bool = False
    create_hangs_s: Seconds = 0
    query_fails: bool = False
    """Queries of payments and of refunds fail."""
    close_fails: bool = False
    close_hangs_s: Seconds = 0
    close_finds_paid: bool = False
    """The buyer's money arrives just before an open payment is closed, and the close answers that it is paid."""
    capture_off_fen: Annotated[int, Field(ge=-(10**12), le=10**12)] = 0
    """The bank takes this much more, or less, than the buyer was asked for, but at least 1 fen."""
    capture_currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    """The bank takes this currency instead of the one that the buyer was asked for."""
    refund_fails: bool = False
    refund_refuses: bool = False
    refund_times_out: bool = False
    """The money moves, but the answer comes later than anybody waits."""
    notify_duplicates: Annotated[int, Field(ge=0, le=100)] = 0
    """How many more times a notification is sent after it was acknowledged."""
    notify_delay_s: Seconds = 0
    notify_reversed: bool = False
    """When the buyer pays several times at once, the last capture is notified first."""
    hand_over_fails_for: tuple[str, ...] = ()
    """The merchants whose systems take no parcel and grant no goods."""
    hand_over_hangs_s: Seconds = 0
