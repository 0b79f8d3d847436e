"""What a merchant is owed for a sub-order (结算), and the statements that say so. Money in fen."""

from dataclasses import dataclass

from domain.base import Message, Utc

BASIS_POINTS = 10_000
"""How many basis points make a whole: a fee of 500 is 5 %."""


@dataclass(frozen=True, slots=True)
class Earned:
    """What a sub-order has earned by now. `goods_fen` and `shipping_fen` are what was paid for it, `goods_back_fen`
    and `shipping_back_fen` are what of that was refunded, and `subsidy_fen` is what the platform funded of the
    discounts on the pieces that were not."""

    goods_fen: int
    shipping_fen: int
    goods_back_fen: int
    shipping_back_fen: int
    subsidy_fen: int
    fee_bps: int

    @property
    def refunds_fen(self) -> int:
        return self.goods_back_fen + self.shipping_back_fen

    @property
    def fee_fen(self) -> int:
        """The platform's fee: a share of what the merchant has from the goods, rounded half up once for the sub-order.
        Shipping bears no fee."""
        revenue = self.goods_fen - self.goods_back_fen + self.subsidy_fen
        return (revenue * self.fee_bps * 2 + BASIS_POINTS) // (BASIS_POINTS * 2)

    @property
    def net_fen(self) -> int:
        return self.goods_fen + self.subsidy_fen + self.shipping_fen - self.fee_fen - self.refunds_fen


class StatementRow(Message):
    """One posting on the merchant's account: a sub-order that was settled or, where `key` begins with `owe/`, a refund
    after that. `net_fen = goods_fen + subsidy_fen + shipping_fen - fee_fen - refunds_fen`."""

    key: str
    order_no: str
    sub_order_no: str
    goods_fen: int
    subsidy_fen: int
    shipping_fen: int
    fee_fen: int
    refunds_fen: int
    net_fen: int
    at: Utc


class Statement(Message):
    """What a merchant is owed. `total_fen` is the sum of its rows, below zero when refunds came to more than sales."""

    statement_no: str
    merchant: str
    currency: str
    until: Utc
    made_at: Utc
    total_fen: int
    rows: list[StatementRow] = []  # noqa: RUF012  pydantic copies it
