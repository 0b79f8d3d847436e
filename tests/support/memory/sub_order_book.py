"""The sub-order book in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from activities.orders import Owed
from activities.sub_orders import (
    Closed,
    ClosePieces,
    CloseSubOrders,
    PiecesClosed,
    RecordDelivered,
    RecordGranted,
    RecordReceived,
    RecordRescheduled,
    RecordShipped,
    SubOrderFacts,
    SubOrderOf,
)
from domain.after_sale.piece_refund import MoreThanIsLeft, PiecesRefund, Place
from domain.order.closing import why_not_cancelled
from domain.order.pieces import by_line
from domain.order.presale import why_not_rescheduled, why_not_shipped
from domain.order.status import Action, Actor, Answer, CloseReason, Facts, Refused, Status, act, refusal, status_of
from tests.support.memory.records import KeptOrder, KeptSubOrder, Records, places


@dataclass(frozen=True)
class Closing:
    key: str
    actor: Actor
    reason: CloseReason


class MemorySubOrderBook:
    """Implements `activities.sub_orders.SubOrderBook` and `activities.merchant.ParcelBook`, without points and
    notices."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        _, sub = self._records.sub_order(request.sub_order_no)
        return SubOrderFacts(
            status=sub.status,
            delivered=sub.delivered,
            ships_from=sub.ships_from,
            close_reason=sub.close_reason,
            left=sub.left,
            revision=sub.revision,
            owed=sub.owed,
        )

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        _, sub = self._records.sub_order(request.sub_order_no)
        sub.handed_over = True
        return await self.sub_order_facts(request)

    async def granted(self, request: RecordGranted) -> SubOrderFacts:
        raise NotImplementedError("no codes are kept in memory: play a story of virtual goods on PostgreSQL")

    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        _, sub = self._records.sub_order(request.sub_order_no)
        moved = act(sub.facts, Action.RESCHEDULE, request.actor)
        if isinstance(moved, Refused):
            return Answer(status=moved.status, refused=moved)
        refused = why_not_rescheduled(sub.status, request.actor, sub.ships_from, sub.handed_over)
        if refused is None:
            sub.ships_from = request.ships_from
        return Answer(status=sub.status, refused=refused)

    async def record_shipped(self, request: RecordShipped) -> Answer:
        key = f"{request.sub_order_no}/ship/{request.carrier}/{request.tracking_no}"
        return self._records.once(key, Answer, lambda: self._ship(request), lambda answer: answer.refused is None)

    def _ship(self, request: RecordShipped) -> Answer:
        _, sub = self._records.sub_order(request.sub_order_no)
        too_early = why_not_shipped(sub.status, request.actor, sub.ships_from, request.at.date())
        if too_early is not None:
            return Answer(status=too_early.status, refused=too_early)
        answer = _move(sub, Action.SHIP, request.actor)
        sub.shipped |= answer.refused is None
        return answer

    async def record_delivered(self, request: RecordDelivered) -> Answer:
        _, sub = self._records.sub_order(request.sub_order_no)
        answer = _move(sub, Action.DELIVER, request.actor)
        sub.delivered |= answer.refused is None
        return answer

    async def record_received(self, request: RecordReceived) -> Answer:
        _, sub = self._records.sub_order(request.sub_order_no)
        if sub.status in (Status.COMPLETED, Status.REVIEWED):
            return Answer(status=sub.status)
        return _move(sub, Action.CONFIRM_RECEIPT, request.actor)

    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        key = f"{request.sub_order_no or request.order_no}/cancel"
        return self._records.once(
            key, Closed, lambda: self._close_sub_orders(request, key), lambda done: done.refused is None
        )

    def _close_sub_orders(self, request: CloseSubOrders, key: str) -> Closed:
        order = self._records.orders[request.order_no]
        closing = [sub for sub in order.subs if request.sub_order_no in (None, sub.plan.sub_order_no)]
        refused = why_not_cancelled({sub.plan.sub_order_no: sub.facts for sub in closing}, request.actor)
        if refused is not None:
            return Closed(refused=refused)
        indexes = {sub.plan.index for sub in closing}
        wanted = {place: left for place, left in order.pieces.left.items() if place[0] in indexes}
        refund, owed = _close(order, wanted, Closing(key, request.actor, request.reason))
        return Closed(closed=_emptied(order, refund), reason=request.reason, owed=owed)

    async def close_pieces(self, request: ClosePieces) -> PiecesClosed:
        key = f"{request.sub_order_no}/pieces/{request.key}"
        return self._records.once(
            key, PiecesClosed, lambda: self._close_pieces(request, key), lambda done: done.refused is None
        )

    def _close_pieces(self, request: ClosePieces, key: str) -> PiecesClosed:
        order, sub = self._records.sub_order(request.sub_order_no)
        answer = act(sub.facts, Action.CANCEL, request.actor)
        if isinstance(answer, Refused):
            return PiecesClosed(refused=answer)
        wanted = places(sub.plan.index, by_line(request.lines))
        try:
            refund, owed = _close(order, wanted, Closing(key, request.actor, request.reason))
        except MoreThanIsLeft as more:
            return PiecesClosed(refused=refusal(sub.status, Action.CANCEL, request.actor, str(more)))
        return PiecesClosed(left=sub.left, closed=_emptied(order, refund), amount_fen=refund.amount_fen, owed=owed)


def _move(sub: KeptSubOrder, action: Action, actor: Actor) -> Answer:
    moved = act(sub.facts, action, actor)
    if isinstance(moved, Refused):
        return Answer(status=moved.status, refused=moved)
    sub.facts = moved
    return Answer(status=status_of(moved))


def _close(order: KeptOrder, wanted: Mapping[Place, int], closing: Closing) -> tuple[PiecesRefund, Owed]:
    """Close these pieces, all or (MoreThanIsLeft) none. Every closing of a split order is this one."""
    refund = order.pieces.refund(wanted)
    owed = order.owed_for(refund, closing.key, closing.reason)
    after = order.pieces.after(refund)
    order.gifts_kept, order.to_withhold_fen = set(after.gifts_kept), after.to_withhold_fen
    by_index = {sub.plan.index: sub for sub in order.subs}
    for back in refund.sub_orders:
        sub = by_index[back.idx]
        sub.revision += 1
        for units in back.units:
            line_no = units.part.line.line_no
            sub.gone[line_no] = sub.gone.get(line_no, 0) + units.pieces
        if closing.key.startswith(f"{sub.plan.sub_order_no}/"):
            sub.owed.append(owed)
        if back.emptied:
            _close_one(order, sub, closing)
    return refund, owed


def _close_one(order: KeptOrder, sub: KeptSubOrder, closing: Closing) -> None:
    closed = act(sub.facts, Action.CANCEL, closing.actor)
    assert isinstance(closed, Facts)
    sub.facts, sub.close_reason = closed, closing.reason
    if order.status is Status.CLOSED:
        order.close_reason = closing.reason


def _emptied(order: KeptOrder, refund: PiecesRefund) -> list[str]:
    emptied = {back.idx for back in refund.sub_orders if back.emptied}
    return [sub.plan.sub_order_no for sub in order.subs if sub.plan.index in emptied]
