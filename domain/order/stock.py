"""What the stock ledgers agree on: when a line takes its stock, how it stands, and what a buyer may have."""

from enum import StrEnum

from pydantic import Field

from domain.base import Message

MAIN_CHANNEL = "main"
"""Where a SKU is sold unless somebody says otherwise."""


class StockPolicy(StrEnum):
    """When a line takes its stock. The merchant's choice, stored on the line when it is placed: what the merchant
    chooses later changes no line that exists."""

    RESERVE_ON_PLACEMENT = "RESERVE_ON_PLACEMENT"  # 下单减库存
    DEDUCT_ON_PAYMENT = "DEDUCT_ON_PAYMENT"  # 付款减库存


class LineState(StrEnum):
    """How a line of an order stands in the sellable ledger. It ends once: deducted or released."""

    RESERVED = "RESERVED"
    PROMISED = "PROMISED"  # written down without stock; its payment takes it
    DEDUCTED = "DEDUCTED"
    RELEASED = "RELEASED"


class PurchaseLimit(Message):
    """The most of one SKU that one buyer may have, in orders of the last `window_s` seconds that are not closed."""

    sku: str = Field(min_length=1, max_length=64)
    pieces: int = Field(ge=0, le=1_000_000)
    window_s: int = Field(ge=1, le=10 * 366 * 86_400)
