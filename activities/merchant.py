"""The merchant's warehouse system, as a story sees it."""

from typing import Protocol

from domain.base import Message
from domain.cart import Address


class HandOverLine(Message):
    sku: str
    title: str
    quantity: int


class HandOver(Message):
    """A parcel for a merchant's warehouse to pack and ship. Idempotency key: `sub_order_no`."""

    sub_order_no: str
    order_no: str
    merchant: str
    warehouse: str
    address: Address
    lines: list[HandOverLine]


class MerchantSystem(Protocol):
    """Put your own warehouse or merchant interface behind this."""

    async def hand_over(self, parcel: HandOver) -> None:
        """Give the parcel to the warehouse. Key: `sub_order_no`; a repeat changes nothing.

        Raises anything on a fault; it is tried again until it works, and shows as needing a person meanwhile."""
        ...
