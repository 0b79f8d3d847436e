"""The merchant's warehouse system, as a story sees it."""

from typing import Protocol

from temporalio import activity

from activities.orders import SubOrderFacts, SubOrderOf
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


class ParcelBook(Protocol):
    """What the house notes of a hand-over."""

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        """Note that the warehouse has the parcel, and say how far it has come. Key: the sub-order."""
        ...

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts: ...


class MerchantActivities:
    def __init__(self, merchants: MerchantSystem, book: ParcelBook) -> None:
        self._merchants = merchants
        self._book = book

    @activity.defn
    async def hand_over(self, request: HandOver) -> SubOrderFacts:
        """Key: the sub-order. A parcel that is closed meanwhile is not handed over any more."""
        this = SubOrderOf(sub_order_no=request.sub_order_no)
        facts = await self._book.sub_order_facts(this)
        if facts.close_reason is not None:
            return facts
        await self._merchants.hand_over(request)
        return await self._book.handed_over(this)
