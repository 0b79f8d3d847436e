"""An order as it is sold: its lines, its sub-orders, and checkout's answer."""

from enum import StrEnum

from domain.base import Message, Utc
from domain.cart import Address


class Product(Message):
    """What the catalog says of a SKU now."""

    sku: str
    merchant: str
    title: str
    price_fen: int
    warehouse: str


class OrderLine(Message):
    """One SKU of an order. `goods_fen` is the list price times the quantity, `pay_fen` what is paid for it."""

    line_no: int
    sku: str
    title: str
    merchant: str
    warehouse: str
    quantity: int
    unit_price_fen: int
    goods_fen: int
    pay_fen: int


class PricedOrder(Message):
    lines: list[OrderLine]
    goods_fen: int
    amount_due_fen: int
    currency: str = "CNY"

    @property
    def merchants(self) -> list[str]:
        return sorted({line.merchant for line in self.lines})


class RefusalCode(StrEnum):
    """Why an order was not taken. `NOT_ACCEPTED` tells an abuser nothing."""

    NOT_ACCEPTED = "NOT_ACCEPTED"
    PRICE_CHANGED = "PRICE_CHANGED"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


class Refusal(Message):
    """An answer, not a failure: nothing is held. `place` names the line or field, `remedy` what would be right."""

    code: RefusalCode
    detail: str
    remedy: str = ""
    place: str = ""


class Placement(Message):
    """Checkout's answer: the order, or the refusal. Money in fen; no `payment_link` where nothing is due."""

    order_no: str
    refusal: Refusal | None = None
    amount_due_fen: int = 0
    currency: str = "CNY"
    pay_by: Utc | None = None
    payment_link: str | None = None


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
    """What one merchant's warehouse ships as one parcel."""

    sub_order_no: str
    index: int
    merchant: str
    warehouse: str
    lines: list[SubOrderLine]

    @property
    def goods_fen(self) -> int:
        return sum(line.goods_fen for line in self.lines)

    @property
    def pay_fen(self) -> int:
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
