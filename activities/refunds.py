"""Refunds by pieces, as a story sees them: what a refund of some pieces comes to, and the decision."""

from typing import Protocol

from temporalio import activity

from activities.orders import Owed
from domain.base import Message, Utc
from domain.order.pieces import Pieces
from domain.order.status import Refused


class QuoteRefund(Message):
    """What would be refunded for these pieces of a sub-order, if it were decided now?"""

    sub_order_no: str
    lines: list[Pieces]


class LineBack(Message):
    """Pieces that go back: what the buyer gets for them, and the discounts on them that are reversed, by funder."""

    sub_order_no: str
    line_no: int
    sku: str
    title: str
    quantity: int
    pay_fen: int
    merchant_fen: int
    platform_fen: int


class GiftBack(Message):
    """A gift whose every line of those it was given for has gone back, and what it is worth."""

    line_no: int
    sku: str
    title: str
    quantity: int
    value_fen: int


class RefundQuote(Message):
    """What a refund comes to. Money in fen.

    `lines` hold the gifts that have not shipped, too: they are cancelled with what they were given for.
    `gifts_to_return` are with the buyer and can come back: one that does not is taken off like those of `gifts_kept`.
    `withheld_fen` is what is taken off, now and for gifts kept at earlier refunds that were too small for it.
    `points` are taken back from the buyer, `coupons`: the order's coupons go back."""

    refused: Refused | None = None
    lines: list[LineBack] = []  # noqa: RUF012  pydantic copies it
    gifts_to_return: list[GiftBack] = []  # noqa: RUF012
    gifts_kept: list[GiftBack] = []  # noqa: RUF012
    goods_fen: int = 0
    shipping_fen: int = 0
    withheld_fen: int = 0
    amount_fen: int = 0
    points: int = 0
    coupons: bool = False


class DecideRefund(Message):
    """Idempotency key: `key`, which the caller makes of its case: the first answer counts. `lines` are pieces of the
    sub-order.

    `gifts_back` are the lines of gifts that came back, or need not: of any other gift that is due its value is taken
    off. After shipping, `sellable` are the pieces that really came back and can be sold again; before it, all are."""

    key: str
    sub_order_no: str
    lines: list[Pieces]
    gifts_back: list[int] = []  # noqa: RUF012  pydantic copies it
    sellable: list[Pieces] = []  # noqa: RUF012
    reason: str
    at: Utc


class RefundDecided(Message):
    """The refund that is decided and what else goes back (see `workflows.give_back.give_back`), or why none is.

    `closed` are sub-orders that have nothing left by it: their runs want to be told."""

    refused: Refused | None = None
    amount_fen: int = 0
    closed: list[str] = []  # noqa: RUF012  pydantic copies it
    owed: Owed = Owed()


class RefundLedger(Protocol):
    """Which pieces have gone back, and for how much: never more than there are, over any sequence, by anybody."""

    async def quote_refund(self, request: QuoteRefund) -> RefundQuote:
        """Reads only. A refusal when there are not so many pieces left, or it was closed."""
        ...

    async def decide_piece_refund(self, request: DecideRefund) -> RefundDecided:
        """Idempotency key: the request's. Before shipping, with the shipping once nothing is left of the sub-order,
        which then closes; after it, of the goods only. A refusal is not kept under the key."""
        ...


class RefundActivities:
    def __init__(self, ledger: RefundLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def quote_refund(self, request: QuoteRefund) -> RefundQuote:
        return await self._ledger.quote_refund(request)

    @activity.defn
    async def decide_piece_refund(self, request: DecideRefund) -> RefundDecided:
        return await self._ledger.decide_piece_refund(request)
