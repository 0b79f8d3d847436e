"""What an order is priced against: the catalog, the promotions, the buyer's coupons, the shelves and the freight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.base import Message, Utc
from domain.order.product import OnSale
from domain.pricing.promotion import Promotion
from domain.splitting.freight import FreightTemplate
from domain.splitting.model import Warehouse


class Coupon(Message):
    """A coupon in somebody's hands: of which promotion, whose, until when, and which order has taken it."""

    coupon_id: str
    promotion_id: str
    buyer_id: int
    expires_at: Utc | None = None
    order_no: str | None = None


def unusable(coupon: Coupon | None, buyer_id: int, order_no: str, at: datetime) -> str:
    """Why a buyer can't use a coupon in an order now, to go on a sentence that names it; empty when there is no reason.
    The order may have it already: the try of a step before this one took it, and its answer was lost.

    Whose it is is told to nobody: an unknown coupon and somebody else's look the same."""
    if coupon is None or coupon.buyer_id != buyer_id:
        return "is not one of this buyer's"
    if coupon.expires_at is not None and at >= coupon.expires_at:
        return f"has expired at {coupon.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if coupon.order_no not in (None, order_no):
        return "is in use by another order"
    return ""


class Offers(Message):
    """What a buyer may be given now. `promotions` are those that are on, coupons' promotions among them."""

    promotions: list[Promotion] = []  # noqa: RUF012  pydantic copies it
    coupons: list[Coupon] = []  # noqa: RUF012  pydantic copies it
    tier: str | None = None


@dataclass(frozen=True)
class Market:
    """Read at placement, and never again for this order."""

    on_sale: Mapping[str, OnSale]  # the cart's SKUs, and the gifts of the promotions
    offers: Offers = field(default_factory=Offers)
    warehouses: Sequence[Warehouse] = ()
    freight: Sequence[FreightTemplate] = ()
