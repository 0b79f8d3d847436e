"""The merchant's warehouse system, as a story sees it."""

from typing import Protocol

from temporalio import activity

from activities.sub_orders import LineCodes, RecordGranted, SubOrderFacts, SubOrderOf
from domain.base import Message
from domain.order.cart import Address
from domain.order.pieces import Pieces, by_line


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
    """What the buyer gets instead of a parcel: a code for each piece of each line. A secret of the buyer's: it is in
    no history."""

    lines: list[LineCodes]


class TooFewCodes(ValueError):
    """The merchant's answer has less than was asked for."""


class MerchantSystem(Protocol):
    """Put your own warehouse or merchant interface behind this."""

    async def hand_over(self, parcel: HandOver) -> None:
        """Give the parcel to the warehouse. Idempotency key: `sub_order_no` and `revision`; a repeat, or a lower
        revision than was given before, changes nothing.

        Raises anything on a fault; it is tried again until it works, and shows as needing a person meanwhile."""
        ...

    async def grant(self, goods: GrantGoods) -> Granted:
        """Deliver virtual goods. Idempotency key: `sub_order_no`; a repeat returns the same codes, also when it asks
        for fewer pieces. Faults as above."""
        ...


class ParcelBook(Protocol):
    """What the platform notes of a hand-over."""

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        """Note that the warehouse has the parcel, and say how far it has come. Idempotency key: the sub-order."""
        ...

    async def granted(self, request: RecordGranted) -> SubOrderFacts:
        """Keep a code for each piece that is left, and note that the goods are delivered. The codes of pieces that were
        cancelled while the merchant was asked are not the buyer's: the merchant is told. Idempotency key: the
        sub-order."""
        ...

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        """How far the sub-order has come. Only reads."""
        ...


class MerchantActivities:
    def __init__(self, merchants: MerchantSystem, book: ParcelBook) -> None:
        self._merchants = merchants
        self._book = book

    @activity.defn
    async def hand_over(self, request: HandOver) -> SubOrderFacts:
        """Idempotency key: the sub-order. A parcel that is closed meanwhile is not handed over any more."""
        this = SubOrderOf(sub_order_no=request.sub_order_no)
        facts = await self._book.sub_order_facts(this)
        if facts.close_reason is not None:
            return facts
        still = {"lines": _still(request.lines, facts.left), "revision": facts.revision}
        await self._merchants.hand_over(request.model_copy(update=still))
        return await self._book.handed_over(this)

    @activity.defn
    async def grant_goods(self, request: GrantGoods) -> SubOrderFacts:
        """Idempotency key: the sub-order. Goods that are closed before are not granted any more. Raises TooFewCodes."""
        facts = await self._book.sub_order_facts(SubOrderOf(sub_order_no=request.sub_order_no))
        if facts.close_reason is not None:
            return facts
        still = {"lines": _still(request.lines, facts.left)}
        asked = request.model_copy(update=still)
        granted = await self._merchants.grant(asked)
        _check_codes(asked, granted)
        return await self._book.granted(RecordGranted(sub_order_no=request.sub_order_no, lines=granted.lines))


def _check_codes(asked: GrantGoods, granted: Granted) -> None:
    codes = {line.line_no: len(line.codes) for line in granted.lines}
    for line in asked.lines:
        if codes.get(line.line_no, 0) < line.quantity:
            got = codes.get(line.line_no, 0)
            raise TooFewCodes(f"{asked.merchant} gave {got} codes for {line.quantity} pieces of line {line.line_no}")


def _still(lines: list[HandOverLine], left: list[Pieces]) -> list[HandOverLine]:
    """The parcel without the pieces that were cancelled meanwhile."""
    pieces = by_line(left)
    return [line.model_copy(update={"quantity": pieces[line.line_no]}) for line in lines if line.line_no in pieces]
