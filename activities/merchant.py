"""The merchant's warehouse system, as a story sees it."""

from typing import Protocol

from temporalio import activity

from activities.orders import RecordGranted, SubOrderFacts, SubOrderOf
from domain.base import Message
from domain.cart import Address
from domain.pieces import Pieces, by_line


class HandOverLine(Message):
    line_no: int = 0
    sku: str
    title: str
    quantity: int


class HandOver(Message):
    """A parcel for a merchant's warehouse to pack and ship. Idempotency key: `sub_order_no` and `revision`, which
    counts how often pieces were cancelled: a higher one takes the place of what was handed over before."""

    sub_order_no: str
    order_no: str
    merchant: str
    warehouse: str
    address: Address
    lines: list[HandOverLine]
    revision: int = 0


class GrantGoods(Message):
    """Virtual goods for a buyer. Idempotency key: `sub_order_no`."""

    sub_order_no: str
    order_no: str
    merchant: str
    buyer_id: int
    lines: list[HandOverLine]


class Granted(Message):
    """What the buyer gets instead of a parcel: a code for each piece. A secret of the buyer's: it is in no history."""

    codes: list[str]


class MerchantSystem(Protocol):
    """Put your own warehouse or merchant interface behind this."""

    async def hand_over(self, parcel: HandOver) -> None:
        """Give the parcel to the warehouse. Key: `sub_order_no` and `revision`; a repeat, or a lower revision than
        was given before, changes nothing.

        Raises anything on a fault; it is tried again until it works, and shows as needing a person meanwhile."""
        ...

    async def grant(self, goods: GrantGoods) -> Granted:
        """Deliver virtual goods. Key: `sub_order_no`; a repeat returns the same codes. Faults as above."""
        ...


class ParcelBook(Protocol):
    """What the house notes of a hand-over."""

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        """Note that the warehouse has the parcel, and say how far it has come. Key: the sub-order."""
        ...

    async def granted(self, request: RecordGranted) -> SubOrderFacts:
        """Keep the codes for the buyer, and note that the goods are delivered. Key: the sub-order."""
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
        still = {"lines": _still(request.lines, facts.left), "revision": facts.revision}
        await self._merchants.hand_over(request.model_copy(update=still))
        return await self._book.handed_over(this)

    @activity.defn
    async def grant_goods(self, request: GrantGoods) -> SubOrderFacts:
        """Key: the sub-order. Goods that are closed meanwhile are not granted any more."""
        facts = await self._book.sub_order_facts(SubOrderOf(sub_order_no=request.sub_order_no))
        if facts.close_reason is not None:
            return facts
        still = {"lines": _still(request.lines, facts.left)}
        granted = await self._merchants.grant(request.model_copy(update=still))
        return await self._book.granted(RecordGranted(sub_order_no=request.sub_order_no, codes=granted.codes))


def _still(lines: list[HandOverLine], left: list[Pieces]) -> list[HandOverLine]:
    """Without the pieces that were cancelled meanwhile."""
    pieces = by_line(left)
    return [line.model_copy(update={"quantity": pieces[line.line_no]}) for line in lines if line.line_no in pieces]
