"""The audit's judgement: what is held without a run that looks after it, and what is to be done about it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from domain.base import Message, Utc
from domain.order.status import ENDED, Status

# An order whose run was started again this often and still has none has a problem that another start does not mend.
RESTARTS = 3

NO_RUN = "NOT_FOUND"  # the run was deleted, by hand or after its retention, or never started
TOLD_ITS_END = "COMPLETED"


class HeldOrder(Message):
    """An order that has not ended, or one under whose number something is still held.

    `status` is None when no order was recorded; `refused` says whether its placement was refused. `due` is when its
    run should have taken the next step. `stock` says whether sellable pieces are reserved or promised; `goods` are the
    ended sub-orders for which pieces are set aside in a warehouse; `refunds` counts those that are decided and not
    done. `parts` are the sub-orders that have not ended; `restarts` counts how often the run was started again."""

    order_no: str
    status: Status | None = None
    refused: bool = False
    split: bool = False
    due: Utc | None = None
    stock: bool = False
    coupons: int = 0
    goods: list[str] = Field(default_factory=list)
    refunds: int = 0
    parts: list[str] = Field(default_factory=list)
    restarts: int = 0

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def holds(self) -> str:
        """What it still holds, in words; empty when it holds nothing."""
        held = [
            *(["sellable stock"] if self.stock else []),
            *([f"{self.coupons} coupons"] if self.coupons else []),
            *([f"goods in a warehouse for {', '.join(self.goods)}"] if self.goods else []),
            *([f"{self.refunds} refunds that are not done"] if self.refunds else []),
        ]
        return ", ".join(held)


class Remedy(StrEnum):
    NONE = "NONE"
    START_AGAIN = "START_AGAIN"  # start the order's run: it looks itself up and goes on
    GIVE_BACK = "GIVE_BACK"  # there is no order: end what its number holds, under the order's own keys
    NUDGE = "NUDGE"  # the order's run is open: ask it to start the runs of its sub-orders again
    PERSON = "PERSON"


class HeldVerdict(NamedTuple):
    remedy: Remedy
    why: str = ""


def weigh_held(held: HeldOrder, closed: Mapping[str, str], now: datetime, far: timedelta) -> HeldVerdict:
    """What is to be done about an order. `closed` says how the latest run of each order or sub-order ended, for those
    that have no open run; `far` is how long past its deadline an open run needs a person."""
    how = closed.get(held.order_no)
    if how is None:
        return _beside_its_run(held, closed, now, far)
    if held.status is None:
        return _unrecorded(held, how)
    cut_short = how != TOLD_ITS_END
    if held.ended and (not cut_short or (how == NO_RUN and held.restarts)):
        return HeldVerdict(Remedy.PERSON, f"it has ended ({held.status}), and still holds {held.holds}")
    if held.restarts >= RESTARTS:
        return HeldVerdict(
            Remedy.PERSON, f"its run ended before its time, again, after {held.restarts} new starts: {how}"
        )
    return HeldVerdict(Remedy.START_AGAIN, how)


def _beside_its_run(held: HeldOrder, closed: Mapping[str, str], now: datetime, far: timedelta) -> HeldVerdict:
    """The verdict on an order whose run is open: nothing that the run may still see to is touched."""
    if held.due is not None and now - held.due > far:
        return HeldVerdict(Remedy.PERSON, f"its run is open, and should have gone on by {held.due:%Y-%m-%d %H:%M} UTC")
    if held.split and held.stock:
        return HeldVerdict(Remedy.PERSON, "it has been split, and its sellable stock is only reserved")
    if held.split and held.coupons:
        return HeldVerdict(Remedy.PERSON, f"it has been split, and {held.coupons} of its coupons are not redeemed")
    left = [number for number in held.goods if closed.get(number) == TOLD_ITS_END]
    if left and not held.ended:
        return HeldVerdict(Remedy.PERSON, f"goods in a warehouse are set aside for {', '.join(left)}, which has ended")
    lost = [number for number in held.parts if number in closed]
    if lost:
        return HeldVerdict(Remedy.NUDGE, f"no open run of {', '.join(lost)}")
    return HeldVerdict(Remedy.NONE)


def _unrecorded(held: HeldOrder, how: str) -> HeldVerdict:
    if held.refused or how in (NO_RUN, TOLD_ITS_END) or held.restarts >= RESTARTS:
        return HeldVerdict(Remedy.GIVE_BACK, how)
    return HeldVerdict(Remedy.START_AGAIN, how)


class Finding(Message):
    """Something that needs a person. `order_no` is "0" when it concerns only the `subject`, and no order."""

    order_no: str = "0"
    subject: str = ""
    text: str


class AuditReport(Message):
    """What an audit saw and did. The counts are of orders; `done` names the first orders that it did something about.

    `more` is how many findings there are beyond those in `found`, which is limited."""

    looked_at: int = 0
    started_again: int = 0
    given_back: int = 0
    nudged: int = 0
    done: list[str] = Field(default_factory=list)
    found: list[Finding] = Field(default_factory=list)
    more: int = 0

    @property
    def well(self) -> bool:
        """Whether nothing needs a person."""
        return not self.found and not self.more
