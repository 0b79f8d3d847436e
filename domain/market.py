"""What an order is priced against: the catalog, the promotions, the buyer's coupons, the shelves and the freight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.base import Message, Utc
from domain.freight import FreightTemplate
from domain.product import OnSale
from domain.promotion import Promotion
from domain.split_model import Warehouse


class Coupon(Message):
    """A coupon in somebody's hands: of which promotion, whose, until when, and which order has taken it."""

    coupon_id: str
    promotion_id: str
    buyer_id: int
    expires_at: Utc | None = None
    order_no: str | None = None


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
