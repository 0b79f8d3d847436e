"""What the books in memory keep of an order, and the way back from it: what a closing owes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from activities.orders import Owed, RecordOrder
from activities.stock import ReshelvePieces
from domain.after_sale.piece_refund import LinePart, OrderPieces, PiecesRefund, Place, Units, before_split
from domain.base import Message
from domain.order.lines import Placement, SubOrderPlan
from domain.order.payment import Capture, RefundOrder
from domain.order.pieces import Pieces
from domain.order.reservation import StockLine
from domain.order.status import CloseReason, Facts, FulfilmentFact, PaymentFact, Status, fold, status_of

Given = TypeVar("Given", bound=Message)
NOT_SHIPPED = (FulfilmentFact.AWAITING, FulfilmentFact.STUCK)


@dataclass
class KeptSubOrder:
    plan: SubOrderPlan
    facts: Facts = field(default_factory=lambda: Facts(payment=PaymentFact.PAID))
    ships_from: date | None = None
    handed_over: bool = False
    shipped: bool = False  # once: a parcel that was lost later is closed, and had shipped
    delivered: bool = False
    close_reason: CloseReason | None = None
    gone: dict[int, int] = field(default_factory=dict)  # pieces that went back, by line
    revision: int = 0
    owed: list[Owed] = field(default_factory=list)  # by its own cancels

    @property
    def status(self) -> Status:
        return status_of(self.facts)

    @property
    def left(self) -> list[Pieces]:
        left = {line.line_no: line.quantity - self.gone.get(line.line_no, 0) for line in self.plan.lines}
        return [Pieces(line_no=line_no, quantity=pieces) for line_no, pieces in sorted(left.items()) if pieces]


@dataclass
class KeptOrder:
    placed: RecordOrder
    facts: Facts
    capture: Capture | None = None
    close_reason: CloseReason | None = None
    closed_lines: set[int] = field(default_factory=set)
    subs: list[KeptSubOrder] = field(default_factory=list)
    gifts_kept: set[int] = field(default_factory=set)
    to_withhold_fen: int = 0
    refunds: list[RefundOrder] = field(default_factory=list)

    @property
    def status(self) -> Status:
        return fold(sub.status for sub in self.subs).status if self.subs else status_of(self.facts)

    @property
    def pieces(self) -> OrderPieces:
        if not self.subs:
            return before_split(self.placed.priced.lines, self.closed_lines, self.placed.priced.shipping_fen)
        return OrderPieces(
            parts=[part for sub in self.subs for part in self._parts(sub)],
            shipping_of={sub.plan.index: sub.plan.shipping_fen for sub in self.subs},
            gifts_kept=self.gifts_kept,
            to_withhold_fen=self.to_withhold_fen,
        )

    def _parts(self, sub: KeptSubOrder) -> list[LinePart]:
        sold = {line.line_no: line for line in self.placed.priced.lines}
        return [
            LinePart(
                idx=sub.plan.index,
                line=sold[line.line_no],
                first=line.first_unit,
                last=line.last_unit,
                refunded=sub.gone.get(line.line_no, 0),
                shipped=sub.facts.fulfilment not in NOT_SHIPPED,
            )
            for line in sub.plan.lines
        ]

    def decide_refund(self, amount_fen: int, reason: str) -> str | None:
        """The number of a refund to make; None when there is nothing to pay back."""
        if self.capture is None or amount_fen == 0:
            return None
        if sum(refund.amount_fen for refund in self.refunds) + amount_fen > self.capture.amount_fen:
            raise ValueError(f"{amount_fen} fen more would be more than was paid")
        refund = RefundOrder(
            refund_no=f"{self.placed.order_no}R{len(self.refunds) + 1:02d}",
            payment_id=self.capture.payment_id,
            capture_id=self.capture.capture_id,
            amount_fen=amount_fen,
            currency=self.capture.currency,
            reason=reason,
        )
        self.refunds.append(refund)
        return refund.refund_no

    def owed_for(self, refund: PiecesRefund, key: str, reason: str) -> Owed:
        """What else is brought back than money, before it ships."""
        stocked = {sub.plan.index: sub.plan.sub_order_no for sub in self.subs if sub.plan.stocked}
        return Owed(
            key=key,
            refund_no=self.decide_refund(refund.amount_fen, reason),
            restock=stock_lines(refund.units),
            reshelve=[stocked[back.idx] for back in refund.sub_orders if back.emptied and back.idx in stocked],
            reshelve_pieces=[
                ReshelvePieces(sub_order_no=stocked[back.idx], reason_key=key, lines=stock_lines(back.units))
                for back in refund.sub_orders
                if back.idx in stocked and not back.emptied
            ],
            coupons=refund.coupons and bool(self.placed.priced.coupons),
        )


def stock_lines(units: Sequence[Units]) -> list[StockLine]:
    """The pieces of each line, whichever sub-orders they lay in."""
    pieces: dict[tuple[int, str], int] = {}
    for one in sorted(units, key=lambda one: one.part.line.line_no):
        line = one.part.line.line_no, one.part.line.sku
        pieces[line] = pieces.get(line, 0) + one.pieces
    return [StockLine(line_no=line_no, sku=sku, quantity=quantity) for (line_no, sku), quantity in pieces.items()]


def places(index: int, lines: Mapping[int, int]) -> dict[Place, int]:
    return {(index, line_no): pieces for line_no, pieces in lines.items()}


@dataclass
class Records:
    """All that the books in memory know, for those that share it."""

    orders: dict[str, KeptOrder] = field(default_factory=dict)
    placements: dict[str, Placement] = field(default_factory=dict)
    answers: dict[tuple[str, type[Message]], Message] = field(default_factory=dict)
    captures: dict[str, Capture] = field(default_factory=dict)  # those that were accepted

    def once(self, key: str, answer: type[Given], effect: Callable[[], Given], keep: Callable[[Given], bool]) -> Given:
        """The answer that was given under this key; or a new one, kept unless `keep` says that it may change."""
        known = self.kept(key, answer)
        if known is not None:
            return known
        given = effect()
        if keep(given):
            self.answers[key, answer] = given
        return given

    def kept(self, key: str, answer: type[Given]) -> Given | None:
        known = self.answers.get((key, answer))
        assert known is None or isinstance(known, answer)
        return known

    def sub_order(self, sub_order_no: str) -> tuple[KeptOrder, KeptSubOrder]:
        for order in self.orders.values():
            for sub in order.subs:
                if sub.plan.sub_order_no == sub_order_no:
                    return order, sub
        raise ValueError(f"there is no sub-order {sub_order_no}")

    def unpaid_of(self, buyer_id: int) -> int:
        mine = [order for order in self.orders.values() if order.placed.cart.buyer_id == buyer_id]
        return sum(order.status is Status.PENDING_PAYMENT for order in mine)
