"""What of an order each party is shown: its own part, and nothing of risk or operations that is not its business."""

from collections.abc import Callable

from domain.order.ownership import Caller, Owners, Role, owns
from domain.order.status import Actor, CloseReason, fold
from domain.records.views import LineView, ListItem, OrderView, RefundView, SubOrderView


def shown_to(caller: Caller, view: OrderView, sub: str | None, placed_by: str | None) -> OrderView | None:
    """The order as this party sees it, narrowed to one sub-order if `sub` names it; None when the
    order is not this party's."""
    if caller.role is not Role.BUYER:
        view = _without_codes(view)
    if sub is not None:
        view = _part(view, lambda part: part.sub_order_no == sub)
        if not view.sub_orders:
            return None
    if not owns(caller, Owners(buyer_id=view.buyer_id, merchants=[], placed_by=placed_by)):
        return _own_part(caller, view)
    return view if caller.role is Role.OPERATOR else _outside(view)


def _without_codes(view: OrderView) -> OrderView:
    """The codes of virtual goods are as good as money: nobody but their buyer reads them here."""
    hidden = [part.model_copy(update={"granted": None}) for part in view.sub_orders]
    return view.model_copy(update={"sub_orders": hidden})


def item_for_buyer(item: ListItem) -> ListItem:
    return item.model_copy(update={"needs_attention": False})


def _own_part(caller: Caller, view: OrderView) -> OrderView | None:
    """What of an order is this party's; None when nothing is."""
    buyer_id = view.buyer_id
    lines = [line for line in view.lines if owns(caller, Owners(buyer_id=buyer_id, merchants=[line.merchant]))]
    own = _part(view, lambda part: owns(caller, _owners(view, part)))
    if not lines and not own.sub_orders:
        return None
    return _outside(own if view.sub_orders else _with_lines(view, lines))


def _owners(view: OrderView, part: SubOrderView) -> Owners:
    return Owners(buyer_id=view.buyer_id, merchants=[part.merchant], carrier=part.carrier)


def _part(view: OrderView, keep: Callable[[SubOrderView], bool]) -> OrderView:
    """The order as if these sub-orders were all of it."""
    subs = [part for part in view.sub_orders if keep(part)]
    numbers = {part.sub_order_no for part in subs}
    part = {
        "sub_orders": subs,
        "status": fold(sub.status for sub in subs).status,
        "close_reason": next((sub.close_reason for sub in subs if sub.close_reason), None),
        "attention": [one for one in view.attention if one.subject in numbers],
        "events": [event for event in view.events if event.subject in numbers],
    }
    return _with_lines(view.model_copy(update=part), [line for sub in subs for line in sub.lines])


def _with_lines(view: OrderView, lines: list[LineView]) -> OrderView:
    """The order without its payment and refunds, which are the buyer's and tell of other merchants' goods."""
    narrowed = {
        "lines": lines,
        "planned": [],
        "shipping_fen": sum(part.shipping_fen for part in view.sub_orders),
        "goods_fen": sum(line.goods_fen for line in lines),
        "amount_due_fen": sum(line.pay_fen for line in lines),
        "payment_link": None,
        "refunds": [],
    }
    return view.model_copy(update=narrowed)


def _outside(view: OrderView) -> OrderView:
    """The order without what is the platform's own: an abuser who learns what risk has seen does better next time."""
    outside = {
        "risk_verdict": None,
        "attention": [],
        "events": [event for event in view.events if event.actor != Actor.PLATFORM],
        "refunds": [_refund(refund) for refund in view.refunds],
        "close_reason": _reason(view.close_reason),
        "sub_orders": [
            part.model_copy(update={"close_reason": _reason(part.close_reason)}) for part in view.sub_orders
        ],
    }
    return view.model_copy(update=outside)


def _reason(reason: CloseReason | None) -> CloseReason | None:
    return CloseReason.CANCELLED_BY_PLATFORM if reason is CloseReason.RISK_REJECTED else reason


def _refund(refund: RefundView) -> RefundView:
    if refund.reason != CloseReason.RISK_REJECTED:
        return refund
    return refund.model_copy(update={"reason": CloseReason.CANCELLED_BY_PLATFORM.value})
