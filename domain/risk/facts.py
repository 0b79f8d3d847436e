"""What the rules may look at: an order, the orders before it that share something with it, and what is usual.

All facts are as of the order's placement, so that a rule gives the same answer a year later.
"""

from datetime import datetime, timedelta

from domain.base import Message, Utc
from domain.order.status import CloseReason
from domain.risk.identity import phone_neighbours


class LineFacts(Message):
    sku: str
    merchant: str
    quantity: int
    goods_fen: int
    pay_fen: int
    limited: bool = False


class ReceiptFacts(Message):
    """When a merchant's goods were confirmed as received and reviewed, if they were."""

    merchant: str
    received_at: Utc | None = None
    reviewed_at: Utc | None = None


class PastOrder(Message):
    order_no: str
    buyer_id: int
    device_id: str
    address_key: str
    phone_key: str
    placed_at: Utc
    first_of_buyer: bool
    lines: list[LineFacts]
    receipts: list[ReceiptFacts] = []  # noqa: RUF012  pydantic copies it
    closed_at: Utc | None = None
    close_reason: CloseReason | None = None

    def goods_fen(self, merchant: str | None = None) -> int:
        """What the goods cost before discounts: all of them, or one merchant's."""
        return sum(line.goods_fen for line in self.lines if merchant in (None, line.merchant))

    def discount_fen(self) -> int:
        return sum(line.goods_fen - line.pay_fen for line in self.lines)

    def pieces(self, sku: str) -> int:
        return sum(line.quantity for line in self.lines if line.sku == sku)

    def skus(self) -> set[str]:
        return {line.sku for line in self.lines}

    def closed_by(self, moment: datetime) -> bool:
        return self.closed_at is not None and self.closed_at <= moment

    def shares_device_or_address(self, other: "PastOrder") -> bool:
        return self.device_id == other.device_id or self.address_key == other.address_key

    def shares_phone_block(self, other: "PastOrder", digits: int) -> bool:
        return phone_neighbours(self.phone_key, digits) == phone_neighbours(other.phone_key, digits)


class UsualFacts(Message):
    """The platform's last orders before this one, added up: they tell what is usual."""

    orders: int = 0
    buyer_hours: int = 0  # the hours in which a buyer ordered, summed over all buyers
    goods_fen: int = 0
    discount_fen: int = 0


class AssessFacts(Message):
    order: PastOrder
    # The orders that share the buyer, device, address, phone or block of phone numbers with this one.
    earlier: list[PastOrder] = []  # noqa: RUF012  pydantic copies it
    usual: UsualFacts = UsualFacts()

    def within(self, span: timedelta) -> list[PastOrder]:
        """The earlier orders placed in the `span` before this one."""
        since = self.order.placed_at - span
        return [past for past in self.earlier if past.placed_at > since]
