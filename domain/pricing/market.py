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
    """A buyer's coupon: its promotion, its owner, when it expires, and the order that has taken it, if any."""

    coupon_id: str
    promotion_id: str
    buyer_id: int
    expires_at: Utc | None = None
    order_no: str | None = None


def unusable(coupon: Coupon | None, buyer_id: int, order_no: str, at: datetime) -> str:
    """Why a buyer can't use a coupon in an order now; empty if nothing prevents it. The text continues a sentence that
    begins with the coupon's name.

    An order may have taken the coupon already (a lost try), and may use it again. Nobody is told whose a coupon is:
    an unknown one and somebody else's look the same."""
    if coupon is None or coupon.buyer_id != buyer_id:
        return "is not one of this buyer's"
    if coupon.expires_at is not None and at >= coupon.expires_at:
        return f"has expired at {coupon.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if coupon.order_no not in (None, order_no):
        return "is in use by another order"
    return ""


class Offers(Message):
    """What a buyer may be given now. `promotions` are all that are on, including the coupons'."""

    promotions: list[Promotion] = []  # noqa: RUF012  pydantic copies it
    coupons: list[Coupon] = []  # noqa: RUF012  pydantic copies it
    tier: str | None = None


@dataclass(frozen=True)
class Market:
    """All that an order's price depends on. It is read at placement, and never again for that order."""

    on_sale: Mapping[str, OnSale]  # the cart's SKUs, and the gifts of the promotions
    offers: Offers = field(default_factory=Offers)
    warehouses: Sequence[Warehouse] = ()
    freight: Sequence[FreightTemplate] = ()
