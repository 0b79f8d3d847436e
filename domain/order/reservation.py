"""What a placement asks of the ledgers, and what they answer: all of it is taken, or nothing is and they say why."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from domain.base import Message, Utc
from domain.order.stock import MAIN_CHANNEL, StockPolicy


class StockLine(Message):
    line_no: int
    sku: str
    quantity: int
    policy: StockPolicy = StockPolicy.RESERVE_ON_PLACEMENT


class ReserveStock(Message):
    """`at` is the time of the placement: the windows of the purchase limits end there. None: the database's now.
    A `buyer_id` of 0 names nobody, and no purchase limit holds for it."""

    order_no: str
    lines: list[StockLine]
    buyer_id: int = 0
    channel: str = MAIN_CHANNEL
    at: Utc | None = None


class Shortage(Message):
    line_no: int
    sku: str
    wanted: int
    available: int


class OverLimit(Message):
    """`wanted` by this order, after `bought` in others: together more than `limit` within `window_s` seconds."""

    line_no: int
    sku: str
    wanted: int
    bought: int
    limit: int
    window_s: int


class Reserved(Message):
    """All of the lines are held, or none is, and `short` and `over_limit` say why."""

    short: list[Shortage]
    released_before: bool = False  # the release came first: nothing may be held any more
    other_lines: bool = False  # the order's key holds other lines: its price was made anew, and came out differently
    over_limit: list[OverLimit] = Field(default_factory=list)


class GoneCoupon(Message):
    """A coupon that can't be taken. `why` goes on a sentence that names it: "has expired at …"."""

    coupon_id: str
    why: str


class CouponsTaken(Message):
    """All of the coupons are the order's, or none is and `gone` says which were lacking."""

    gone: list[GoneCoupon]
    released_before: bool = False  # the giving back came first: nothing may be taken any more


def shortages(lines: Sequence[StockLine], left: Mapping[str, int]) -> list[Shortage]:
    """The lines for which there is too little. A SKU that is not in `left` is not short."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return [
        Shortage(line_no=line.line_no, sku=line.sku, wanted=wanted[line.sku], available=available)
        for line in lines
        if (available := left.get(line.sku)) is not None and available < wanted[line.sku]
    ]
