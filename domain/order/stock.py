"""What the stock ledgers share: when a line takes its stock, the states of that, and how much a buyer may have."""

from enum import StrEnum

from pydantic import Field

from domain.base import Message

MAIN_CHANNEL = "main"
"""The channel that a SKU is sold in unless somebody says otherwise."""


class StockPolicy(StrEnum):
    """When a line takes its stock. The merchant chooses it, and the line keeps it when it is placed: what the merchant
    chooses later changes no existing line."""

    RESERVE_ON_PLACEMENT = "RESERVE_ON_PLACEMENT"  # 下单减库存
    DEDUCT_ON_PAYMENT = "DEDUCT_ON_PAYMENT"  # 付款减库存


class LineState(StrEnum):
    """The state of an order's line in the sellable ledger. It ends exactly once: deducted or released."""

    RESERVED = "RESERVED"
    PROMISED = "PROMISED"  # written down without stock, which the payment takes
    DEDUCTED = "DEDUCTED"
    RELEASED = "RELEASED"


class PurchaseLimit(Message):
    """The most of one SKU that one buyer may have, in orders of the last `window_s` seconds that are not closed."""

    sku: str = Field(min_length=1, max_length=64)
    pieces: int = Field(ge=0, le=1_000_000)
    window_s: int = Field(ge=1, le=10 * 366 * 86_400)
