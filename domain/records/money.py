"""An order's money, as people are told of it: every posting, who has what by now, and what was paid for each line."""

from domain.base import Message, Utc


class Leg(Message):
    """What an account has more of; less, or owes more, when below zero."""

    account: str
    amount_fen: int


class Posting(Message):
    """`kind`: CAPTURE, STRAY, REFUND_DECIDED, REFUND or SETTLE (SHIPPING: of orders from before it had an account)."""

    key: str
    kind: str
    at: Utc
    legs: list[Leg]


class FundedDiscount(Message):
    """What a promotion took off a line, and who pays for it."""

    promotion_id: str
    amount_fen: int
    merchant_fen: int
    platform_fen: int


class LineMoney(Message):
    """`back_fen` is what was paid for the pieces that went back."""

    line_no: int
    title: str
    merchant: str
    quantity: int
    goods_fen: int
    pay_fen: int
    discounts: list[FundedDiscount]
    pieces_back: int
    back_fen: int


class OrderMoney(Message):
    """`balances` are those of the order's own postings: of nothing they are left out."""

    order_no: str
    currency: str
    amount_due_fen: int
    shipping_fen: int
    postings: list[Posting]
    balances: list[Leg]
    lines: list[LineMoney]
