"""An order's money as it is shown to people: every posting, who has what by now, and what was paid for each line."""

from domain.base import Message, Utc


class Leg(Message):
    """What a posting adds to an account; below zero, the account has less or owes more."""

    account: str
    amount_fen: int


class Posting(Message):
    """One posting of the journal. `kind` is CAPTURE, STRAY, REFUND_DECIDED, REFUND or SETTLE; orders from before
    shipping had an account of its own also have SHIPPING."""

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
    """One line's money. `back_fen` is what was paid for the `pieces_back` that went back."""

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
    """One order's money. `balances` add up the order's own postings by account; those of zero are left out."""

    order_no: str
    currency: str
    amount_due_fen: int
    shipping_fen: int
    postings: list[Posting]
    balances: list[Leg]
    lines: list[LineMoney]
