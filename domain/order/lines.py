"""An order as it is sold: its lines, its sub-orders, and the answer to its checkout."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from domain.base import Message, Utc
from domain.order.cart import Address
from domain.order.product import DeliveryMode
from domain.order.snapshot import TradeSnapshot
from domain.order.stock import StockPolicy


class LineShare(Message):
    """What one promotion takes off one line, and who pays for it. It is written once, at placement."""

    promotion_id: str
    amount_fen: int
    merchant_fen: int
    platform_fen: int


class GiftOf(Message):
    """Which promotion gave a gift line, for which lines, and whether the gift can come back."""

    promotion_id: str
    given_for: list[int]
    returnable: bool


class OrderLine(Message):
    """One SKU of an order, as it was sold: later changes of the product don't touch it.

    `goods_fen` is the list price times the quantity, `pay_fen` is what is paid for it, and its `shares` add up to the
    difference. Both are 0 for a gift. `warehouse` is the one it is preferably shipped from."""

    line_no: int
    sku: str
    version: int
    digest: str
    title: str
    merchant: str
    warehouse: str | None = None
    quantity: int
    unit_price_fen: int
    goods_fen: int
    pay_fen: int
    delivery_mode: DeliveryMode = DeliveryMode.PHYSICAL
    ships_from: date | None = None
    handling: str = "ORDINARY"
    weight_g: int = 0
    volume_cm3: int = 0
    policy: StockPolicy = StockPolicy.RESERVE_ON_PLACEMENT
    shares: list[LineShare] = Field(default_factory=list)
    gift: GiftOf | None = None
    snapshot: TradeSnapshot | None = None  # where orders hold their own copy (EMBEDDED)


class PricedOrder(Message):
    """An order's lines and totals. `amount_due_fen` is what is paid for the goods plus `shipping_fen`."""

    lines: list[OrderLine]
    goods_fen: int
    amount_due_fen: int
    shipping_fen: int = 0
    currency: str = "CNY"
    coupons: list[str] = Field(default_factory=list)  # only those that apply: they are taken
    rules: dict[str, str] = Field(default_factory=dict)  # the promotions that apply, and their documents' digests
    plan: list["SubOrderPlan"] | None = None  # where orders are split at placement

    @property
    def merchants(self) -> list[str]:
        return sorted({line.merchant for line in self.lines})


class RefusalCode(StrEnum):
    """Why an order was not taken. `NOT_ACCEPTED` is meant to tell an abuser nothing."""

    NOT_ACCEPTED = "NOT_ACCEPTED"
    PRICE_CHANGED = "PRICE_CHANGED"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    COUPON_GONE = "COUPON_GONE"
    PURCHASE_LIMIT = "PURCHASE_LIMIT"
    TOO_MANY_UNPAID = "TOO_MANY_UNPAID"
    NOT_PLACED = "NOT_PLACED"  # its run was ended before it answered, by an operator


class Refusal(Message):
    """An order that was refused: an answer, not a failure, and nothing is held.

    `place` names the line or the field that is wrong, `remedy` says what would be right."""

    code: RefusalCode
    detail: str
    remedy: str = ""
    place: str = ""


class Placement(Message):
    """Checkout's answer: the order, or the refusal. There is no `payment_link` where nothing is due.

    `order_no` is empty when the cart was refused as sold out before a run was started."""

    order_no: str
    refusal: Refusal | None = None
    amount_due_fen: int = 0
    currency: str = "CNY"
    pay_by: Utc | None = None
    payment_link: str | None = None
    sub_orders: list[str] = Field(default_factory=list)  # their numbers, where orders are split at placement


class SubOrderLine(Message):
    """The units `first_unit..last_unit` of an order's line, and what was paid for them."""

    line_no: int
    sku: str
    title: str
    first_unit: int
    last_unit: int
    goods_fen: int
    pay_fen: int

    @property
    def quantity(self) -> int:
        return self.last_unit - self.first_unit + 1


class SubOrderPlan(Message):
    """What one merchant's warehouse ships as one parcel, or virtual goods that are granted together.

    `flags` may hold OVERSIZE (one piece over the parcel limit, which ships alone) and BACKORDER (it waits for
    goods)."""

    sub_order_no: str
    index: int
    merchant: str
    delivery_mode: DeliveryMode = DeliveryMode.PHYSICAL
    ships_from: date | None = None
    handling: str = "ORDINARY"
    warehouse: str | None = None
    lines: list[SubOrderLine]
    shipping_fen: int = 0
    flags: list[str] = Field(default_factory=list)
    stocked: bool = False  # our ledger sets its pieces aside in a warehouse, now or (a back-order) when they come

    @property
    def goods_fen(self) -> int:
        return sum(line.goods_fen for line in self.lines)

    @property
    def pay_fen(self) -> int:
        """What was paid for its goods, without the shipping."""
        return sum(line.pay_fen for line in self.lines)


class StartSubOrder(Message):
    """The start input of a sub-order's run."""

    order_no: str
    buyer_id: int
    plan: SubOrderPlan
    address: Address
    dispatch_window_s: int
    transit_window_s: int
    receipt_window_s: int
    backorder_window_s: int
