"""The order book in memory, up to the split."""

from activities.attention import Noted
from activities.orders import (
    AcceptPayment,
    CloseLines,
    CloseOrder,
    FileCaptures,
    LinesToSplit,
    OrderClosing,
    OrderFacts,
    OrderOf,
    Owed,
    PaymentAccepted,
    RecordOrder,
    RecordRefusal,
    RecordSplit,
    SplitDone,
)
from activities.sub_orders import Closed
from domain.order.acts import SubOrderEnded
from domain.order.closing import CLOSING_ACT
from domain.order.lines import Placement
from domain.order.precedence import CaptureOutcome
from domain.order.product import DeliveryMode
from domain.order.refusals import too_many_unpaid
from domain.order.status import ENDED, Action, Actor, CloseReason, Facts, PaymentFact, Refused, Status, act
from tests.support.memory.records import KeptOrder, KeptSubOrder, Records, stock_lines

CLOSE, CLOSE_LINES = "close", "close-lines"


class MemoryOrderBook:
    """Implements `activities.orders.OrderBook`, without the evidence, the journal and the notices."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def order_facts(self, request: OrderOf) -> OrderFacts:
        placement = self._records.placements.get(request.order_no)
        order = self._records.orders.get(request.order_no)
        if order is None:
            return OrderFacts(placement=placement)
        of_lines = self._records.kept(f"{request.order_no}/{CLOSE_LINES}", Owed)
        of_cancel = self._records.kept(f"{request.order_no}/cancel", Closed)
        owed = [*([of_lines] if of_lines else []), *([of_cancel.owed] if of_cancel else [])]
        by_closed = [sub for sub in order.subs if sub.status is Status.CLOSED and not sub.shipped]
        return OrderFacts(
            placement=placement,
            merchants=order.placed.priced.merchants,
            paid=order.facts.payment is PaymentFact.PAID,
            close_reason=order.close_reason,
            split=bool(order.subs),
            ended=[_ended(sub) for sub in order.subs if sub.status in ENDED],
            owed=[*owed, *(one for sub in by_closed for one in sub.owed)],
        )

    async def record_order(self, request: RecordOrder) -> Placement:
        known = self._records.placements.get(request.order_no)
        if known is not None:
            return known
        due = request.priced.amount_due_fen
        unpaid = self._records.unpaid_of(request.cart.buyer_id) if due else 0
        refused = too_many_unpaid(unpaid, request.terms.unpaid_orders_per_buyer)
        if refused is not None:
            return Placement(order_no=request.order_no, refusal=refused)
        facts = Facts(payment=PaymentFact.UNPAID if due else PaymentFact.PAID)
        self._records.orders[request.order_no] = KeptOrder(request, facts)
        placement = Placement(
            order_no=request.order_no,
            amount_due_fen=due,
            currency=request.priced.currency,
            pay_by=request.pay_by,
            sub_orders=[part.sub_order_no for part in request.priced.plan or []],
        )
        return self._records.placements.setdefault(request.order_no, placement)

    async def record_refusal(self, request: RecordRefusal) -> Placement:
        return self._records.placements.setdefault(request.placement.order_no, request.placement)

    async def accept_payment(self, request: AcceptPayment) -> PaymentAccepted:
        return PaymentAccepted(outcome=self._accept(self._records.orders[request.order_no], request))

    def _accept(self, order: KeptOrder, request: AcceptPayment) -> CaptureOutcome:
        capture = request.capture
        if order.capture is not None:
            same = order.capture.capture_id == capture.capture_id
            return CaptureOutcome.DUPLICATE if same else CaptureOutcome.PAID_TWICE
        paid = act(order.facts, Action.PAY, Actor.BUYER)
        if isinstance(paid, Refused):
            return CaptureOutcome.TOO_LATE
        order.facts, order.capture = paid, capture
        self._records.captures[capture.capture_id] = capture
        return CaptureOutcome.ACCEPTED

    async def file_captures(self, request: FileCaptures) -> Noted:
        raise NotImplementedError("there is no inbox in memory: play a story of stray money on PostgreSQL")

    async def lines_to_split(self, order_no: str) -> LinesToSplit:
        order = self._records.orders[order_no]
        priced = order.placed.priced
        live = [line for line in priced.lines if line.line_no not in order.closed_lines]
        physical = any(line.delivery_mode is DeliveryMode.PHYSICAL for line in live)
        return LinesToSplit(
            lines=live,
            shipping_fen=0 if order.closed_lines and not physical else priced.shipping_fen,
            plan=priced.plan,
            closed=None if order.subs else order.close_reason,
        )

    async def record_split(self, request: RecordSplit) -> SplitDone:
        order = self._records.orders[request.order_no]
        if not order.subs and order.close_reason is not None:
            return SplitDone(sub_orders=[], closed=order.close_reason)
        if not order.subs:
            order.subs = [KeptSubOrder(plan, ships_from=plan.ships_from) for plan in request.plan]
        return SplitDone(sub_orders=[sub.plan for sub in order.subs])

    async def close_lines(self, request: CloseLines) -> Owed:
        key = f"{request.order_no}/{CLOSE_LINES}"
        return self._records.once(key, Owed, lambda: self._close_lines(request), lambda _: True)

    def _close_lines(self, request: CloseLines) -> Owed:
        order = self._records.orders[request.order_no]
        if order.close_reason is not None:
            return Owed(key=CLOSE_LINES)
        if order.subs:
            raise ValueError(f"order {request.order_no} is split: its sub-orders are closed, not its lines")
        gone = set(request.lines)
        pieces = order.pieces
        refund = pieces.refund({place: left for place, left in pieces.left.items() if place[1] in gone})
        order.closed_lines |= {units.part.line.line_no for units in refund.units}
        gifts = [units for units in refund.units if units.part.line.line_no not in gone]
        refund_no = order.decide_refund(refund.amount_fen, CloseReason.OUT_OF_STOCK)
        return Owed(key=CLOSE_LINES, refund_no=refund_no, restock=stock_lines(gifts))

    async def close_order(self, request: CloseOrder) -> OrderClosing:
        key = f"{request.order_no}/{CLOSE}"
        return self._records.once(
            key,
            OrderClosing,
            lambda: self._close_order(request),
            lambda closing: not (closing.split or closing.paid_after_all),
        )

    def _close_order(self, request: CloseOrder) -> OrderClosing:
        order = self._records.orders[request.order_no]
        of_lines = self._records.kept(f"{request.order_no}/{CLOSE_LINES}", Owed)
        owed = [of_lines] if of_lines is not None else []
        if order.subs:
            return OrderClosing(split=True, owed=owed)
        paid = order.facts.payment is PaymentFact.PAID
        if request.reason is CloseReason.UNPAID and paid and order.close_reason is None:
            return OrderClosing(paid_after_all=True)
        moved = act(order.facts, *CLOSING_ACT[request.reason])
        assert not isinstance(moved, Refused), moved.reason
        if order.capture is not None:
            pieces = order.pieces
            amount_fen = pieces.refund(pieces.left).amount_fen
            owed.append(Owed(key=CLOSE, refund_no=order.decide_refund(amount_fen, request.reason)))
        order.facts, order.close_reason = moved, request.reason
        return OrderClosing(paid=paid, owed=owed)


def _ended(sub: KeptSubOrder) -> SubOrderEnded:
    return SubOrderEnded(sub_order_no=sub.plan.sub_order_no, status=sub.status, close_reason=sub.close_reason)
