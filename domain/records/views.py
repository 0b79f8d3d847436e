"""What people look at: an order in full, and the lists of buyers, merchants and operators."""

from datetime import date
from enum import StrEnum

from domain.after_sale.case import CaseAction, CaseKind, CaseStatus
from domain.base import Message, Utc
from domain.order.lines import SubOrderPlan
from domain.order.status import CloseReason, Status


class DiscountView(Message):
    """What a promotion took off a line."""

    promotion_id: str
    amount_fen: int


class LineView(Message):
    """A line of an order or sub-order. `shipped` of its `quantity` pieces are on their way or have arrived; `closed`
    were given back."""

    line_no: int
    sku: str
    title: str
    merchant: str
    quantity: int
    unit_price_fen: int
    goods_fen: int
    pay_fen: int
    discounts: list[DiscountView] = []  # noqa: RUF012  pydantic copies it
    gift_of: str | None = None  # the promotion that gives it
    shipped: int = 0
    closed: int = 0


class ScanView(Message):
    kind: str
    place: str
    at: Utc


class SubOrderView(Message):
    sub_order_no: str
    merchant: str
    delivery_mode: str
    ships_from: date | None = None
    warehouse: str | None = None
    flags: list[str] = []  # noqa: RUF012  pydantic copies it
    status: Status
    goods_fen: int
    pay_fen: int
    shipping_fen: int
    granted: list[str] | None = None  # the codes of virtual goods, for the buyer's eyes
    after_sale: str
    cases: list[str] = []  # noqa: RUF012
    carrier: str | None = None
    tracking_no: str | None = None
    handed_over_at: Utc | None = None
    shipped_at: Utc | None = None
    delivered_at: Utc | None = None
    received_at: Utc | None = None
    close_reason: CloseReason | None = None
    lines: list[LineView] = []  # noqa: RUF012  pydantic copies it
    tracking: list[ScanView] = []  # noqa: RUF012


class AttentionView(Message):
    """What a person is needed for."""

    subject: str
    topic: str
    text: str
    since: Utc


class RefundView(Message):
    refund_no: str
    amount_fen: int
    currency: str
    state: str
    reason: str


class EventView(Message):
    at: Utc
    actor: str
    action: str
    subject: str
    detail: str


class OrderView(Message):
    """An order in full. `planned` are the sub-orders to come, where an order is split at placement, until they
    exist."""

    order_no: str
    buyer_id: int
    status: Status
    goods_fen: int
    shipping_fen: int = 0
    amount_due_fen: int
    currency: str
    placed_at: Utc
    pay_by: Utc | None = None
    payment_link: str | None = None
    paid_at: Utc | None = None
    close_reason: CloseReason | None = None
    risk_verdict: str | None = None
    lines: list[LineView]
    planned: list[SubOrderPlan] = []  # noqa: RUF012  pydantic copies it
    sub_orders: list[SubOrderView]
    refunds: list[RefundView]
    attention: list[AttentionView]
    events: list[EventView]


class CaseLineView(Message):
    """Pieces of a case. `amount_fen` is what was quoted for them; `accepted` is None until they are inspected."""

    line_no: int
    sku: str
    title: str
    quantity: int
    amount_fen: int
    accepted: int | None = None


class CaseGiftView(Message):
    """A gift that has to come back; if it does not, its value is taken off the refund."""

    line_no: int
    sku: str
    title: str
    quantity: int
    value_fen: int


class CaseView(Message):
    """A case of after-sale. `quoted_fen` is what the buyer was told it would refund, `amount_fen` what it did refund.

    `said` is what a party wrote last, `due_at` is when the clock acts, and `allowed` is what the reader may do."""

    case_no: str
    order_no: str
    sub_order_no: str
    buyer_id: int
    merchant: str
    kind: CaseKind
    status: CaseStatus
    reason: str
    lines: list[CaseLineView]
    gifts_to_return: list[CaseGiftView] = []  # noqa: RUF012
    withheld_fen: int = 0
    quoted_fen: int
    amount_fen: int | None = None
    said: str = ""
    carrier: str | None = None
    tracking_no: str | None = None
    requested_at: Utc
    due_at: Utc | None = None
    sent_back_at: Utc | None = None
    ended_at: Utc | None = None
    allowed: list[CaseAction] = []  # noqa: RUF012


class Tab(StrEnum):
    """The tabs of a buyer's list."""

    ALL = "all"
    TO_PAY = "to_pay"
    TO_SHIP = "to_ship"
    TO_RECEIVE = "to_receive"
    TO_REVIEW = "to_review"
    AFTER_SALE = "after_sale"


class ListItem(Message):
    """A row of a list: an order that is not split (`sub_order_no` is null), or a sub-order with its order's number."""

    order_no: str
    sub_order_no: str | None
    merchants: list[str]
    status: Status
    goods_fen: int
    pay_fen: int
    placed_at: Utc
    titles: list[str]
    after_sale: str = "NONE"
    needs_attention: bool = False


class Page(Message):
    """One page of a list. `next` is the cursor of the following page; null on the last one."""

    items: list[ListItem]
    next: str | None = None
