"""Refunds by pieces, as short as their tests want them."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from activities.refunds import DecideRefund, QuoteRefund, RefundDecided, RefundQuote
from activities.sub_orders import ClosePieces, PiecesClosed
from domain.order.lines import GiftOf, LineShare, OrderLine
from domain.order.pieces import Pieces
from domain.order.status import Actor, CloseReason
from store.after_sale.refunds import PostgresRefunds
from store.money.reconciliation import mismatches
from tests.support.books import NOW, Ledgers, line

_keys = count()


def shared(line_no: int, merchant: str, quantity: int, fen: int, off_fen: int, platform_fen: int = 0) -> OrderLine:
    """A line with one promotion's share, of which the platform funds so much."""
    share = LineShare(
        promotion_id="p1", amount_fen=off_fen, merchant_fen=off_fen - platform_fen, platform_fen=platform_fen
    )
    return line(line_no, merchant, quantity, fen, off_fen).model_copy(update={"shares": [share] if off_fen else []})


def gift(line_no: int, merchant: str, given_for: list[int], *, returnable: bool = True, fen: int = 300) -> OrderLine:
    """One piece, worth `fen`, that nothing is paid for."""
    given = GiftOf(promotion_id="g1", given_for=given_for, returnable=returnable)
    free = {"goods_fen": 0, "pay_fen": 0, "gift": given}
    return line(line_no, merchant, 1, fen).model_copy(update=free)


def pieces(wanted: Mapping[int, int]) -> list[Pieces]:
    return [Pieces(line_no=line_no, quantity=quantity) for line_no, quantity in wanted.items()]


class Refunds:
    """What may be done to the pieces of a sub-order; each act under a key of its own, unless one is named."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self.ledger = PostgresRefunds(ledgers.engine)

    async def cancel(
        self, sub_order_no: str, wanted: Mapping[int, int], key: str = "", actor: Actor = Actor.BUYER
    ) -> PiecesClosed:
        return await self._ledgers.sub_book.close_pieces(
            ClosePieces(
                key=key or f"k{next(_keys)}",
                sub_order_no=sub_order_no,
                lines=pieces(wanted),
                actor=actor,
                reason=CloseReason.CANCELLED_BY_BUYER,
                note="",
                at=NOW,
            )
        )

    async def decide(self, sub_order_no: str, wanted: Mapping[int, int], key: str = "", **more: Any) -> RefundDecided:
        asked = {"at": NOW, "reason": "BROKEN", **more}
        return await self.ledger.decide_piece_refund(
            DecideRefund(key=key or f"k{next(_keys)}", sub_order_no=sub_order_no, lines=pieces(wanted), **asked)
        )

    async def quote(self, sub_order_no: str, wanted: Mapping[int, int]) -> RefundQuote:
        return await self.ledger.quote_refund(QuoteRefund(sub_order_no=sub_order_no, lines=pieces(wanted)))

    async def refunded(self) -> int:
        return int(await self._ledgers.one("SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds"))

    async def add_up(self) -> None:
        assert await mismatches(self._ledgers.engine) == []

    async def received(self, sub_order_no: str) -> None:
        await self._ledgers.ship(sub_order_no)
        await self._ledgers.receive(sub_order_no)
