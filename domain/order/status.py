"""The status of an order: four facts that are kept apart, the status folded from them, and what each status allows.

`TABLE` is the whole life of an order or a sub-order: for each status the actions that it allows, who may do them,
and the one fact that the action changes. Whatever changes a status goes through `act` and `status_of`.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from domain.base import Message


class Status(StrEnum):
    PENDING_PAYMENT = "PENDING_PAYMENT"  # 待付款
    AWAITING_SHIPMENT = "AWAITING_SHIPMENT"  # 待发货
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"  # 部分发货, only ever on an order
    SHIPPED = "SHIPPED"  # 已发货
    COMPLETED = "COMPLETED"  # 已完成
    REVIEWED = "REVIEWED"  # 已评价
    CLOSED = "CLOSED"  # 已关闭
    EXCEPTION = "EXCEPTION"  # 异常: a person is needed


ENDED = frozenset({Status.COMPLETED, Status.REVIEWED, Status.CLOSED})


class CloseReason(StrEnum):
    """Why an order ended before it was fulfilled."""

    UNPAID = "UNPAID"
    CANCELLED_BY_BUYER = "CANCELLED_BY_BUYER"
    CANCELLED_BY_MERCHANT = "CANCELLED_BY_MERCHANT"
    CANCELLED_BY_PLATFORM = "CANCELLED_BY_PLATFORM"
    RISK_REJECTED = "RISK_REJECTED"
    OUT_OF_STOCK = "OUT_OF_STOCK"  # paid, and the goods are gone, or did not come by the promised date
    REFUSED = "REFUSED"  # at placement; the refusal says more


class Action(StrEnum):
    PAY = "PAY"
    EXPIRE = "EXPIRE"
    CANCEL = "CANCEL"
    REJECT = "REJECT"
    GET_STUCK = "GET_STUCK"
    HEAL = "HEAL"
    RESCHEDULE = "RESCHEDULE"  # a presale's ship date
    SHIP = "SHIP"
    TRACK = "TRACK"
    DELIVER = "DELIVER"
    CONFIRM_RECEIPT = "CONFIRM_RECEIPT"
    REVIEW = "REVIEW"


class Actor(StrEnum):
    BUYER = "BUYER"
    MERCHANT = "MERCHANT"
    CARRIER = "CARRIER"
    PLATFORM = "PLATFORM"
    CLOCK = "CLOCK"


class PaymentFact(StrEnum):
    UNPAID = "UNPAID"
    PAID = "PAID"  # or nothing was due


class FulfilmentFact(StrEnum):
    AWAITING = "AWAITING"
    STUCK = "STUCK"  # awaiting, and a person is needed
    SHIPPED = "SHIPPED"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"


class ReviewFact(StrEnum):
    NONE = "NONE"
    REVIEWED = "REVIEWED"


class AfterSaleFact(StrEnum):
    """Whether there are after-sale cases. It is a mark beside the status, not a status."""

    NONE = "NONE"
    OPEN = "OPEN"
    SETTLED = "SETTLED"


class Facts(Message):
    """The four facts that are known of one order or sub-order."""

    payment: PaymentFact = PaymentFact.UNPAID
    fulfilment: FulfilmentFact = FulfilmentFact.AWAITING
    review: ReviewFact = ReviewFact.NONE
    after_sale: AfterSaleFact = AfterSaleFact.NONE


def status_of(facts: Facts) -> Status:
    """The one status that people see, folded from the facts."""
    if facts.fulfilment is FulfilmentFact.CLOSED:
        return Status.CLOSED
    if facts.payment is PaymentFact.UNPAID:
        return Status.PENDING_PAYMENT
    if facts.review is ReviewFact.REVIEWED:
        return Status.REVIEWED
    return _OF_FULFILMENT[facts.fulfilment]


_OF_FULFILMENT = {
    FulfilmentFact.AWAITING: Status.AWAITING_SHIPMENT,
    FulfilmentFact.STUCK: Status.EXCEPTION,
    FulfilmentFact.SHIPPED: Status.SHIPPED,
    FulfilmentFact.RECEIVED: Status.COMPLETED,
}


class Move(Message):
    """Who may do an action in a status, and the one fact that it sets (None for an action that changes no fact)."""

    by: tuple[Actor, ...]
    sets: PaymentFact | FulfilmentFact | ReviewFact | None


_B, _M, _C, _P, _T = Actor.BUYER, Actor.MERCHANT, Actor.CARRIER, Actor.PLATFORM, Actor.CLOCK

_CANCEL = Move(by=(_B, _M, _P, _T), sets=FulfilmentFact.CLOSED)
_SHIP = Move(by=(_M, _P), sets=FulfilmentFact.SHIPPED)

TABLE: dict[Status, dict[Action, Move]] = {
    Status.PENDING_PAYMENT: {
        Action.PAY: Move(by=(_B, _P), sets=PaymentFact.PAID),
        Action.CANCEL: Move(by=(_B, _P), sets=FulfilmentFact.CLOSED),
        Action.EXPIRE: Move(by=(_T,), sets=FulfilmentFact.CLOSED),
        Action.REJECT: Move(by=(_P,), sets=FulfilmentFact.CLOSED),
    },
    Status.AWAITING_SHIPMENT: {
        Action.CANCEL: _CANCEL,
        Action.REJECT: Move(by=(_P,), sets=FulfilmentFact.CLOSED),
        Action.RESCHEDULE: Move(by=(_M, _P), sets=None),
        Action.SHIP: _SHIP,
        Action.GET_STUCK: Move(by=(_P,), sets=FulfilmentFact.STUCK),
    },
    Status.EXCEPTION: {
        Action.CANCEL: _CANCEL,
        Action.SHIP: _SHIP,
        Action.GET_STUCK: Move(by=(_P,), sets=FulfilmentFact.STUCK),
        Action.HEAL: Move(by=(_P,), sets=FulfilmentFact.AWAITING),
    },
    Status.PARTIALLY_SHIPPED: {},
    Status.SHIPPED: {
        Action.TRACK: Move(by=(_C, _M, _P), sets=None),
        Action.DELIVER: Move(by=(_C, _M, _P), sets=None),
        Action.CONFIRM_RECEIPT: Move(by=(_B, _P, _T), sets=FulfilmentFact.RECEIVED),
    },
    Status.COMPLETED: {
        Action.TRACK: Move(by=(_C, _M, _P), sets=None),
        Action.REVIEW: Move(by=(_B,), sets=ReviewFact.REVIEWED),
    },
    Status.REVIEWED: {},
    Status.CLOSED: {},
}


class Refused(Message):
    """An action that the status does not allow. Nothing has changed."""

    status: Status
    action: Action
    allowed: tuple[Action, ...]
    reason: str


class Answer(Message):
    """What came of an action: it was done, and led to `status`; or it was `refused` in that status."""

    status: Status
    refused: Refused | None = None


def allowed(status: Status, actor: Actor) -> tuple[Action, ...]:
    return tuple(action for action, move in TABLE[status].items() if actor in move.by)


def refusal(status: Status, action: Action, actor: Actor, why: str = "") -> Refused:
    """The refusal of an action, with the status, the reason, and what this party may do instead."""
    can = allowed(status, actor)
    listed = ", ".join(can) if can else "nothing"
    reason = why or f"{action} is not for {actor} while the status is {status}"
    return Refused(status=status, action=action, allowed=can, reason=f"{reason}; allowed now: {listed}")


def act(facts: Facts, action: Action, actor: Actor) -> Facts | Refused:
    """The facts after the action, or why it is refused. An action changes one fact at most."""
    status = status_of(facts)
    move = TABLE[status].get(action)
    if move is None or actor not in move.by:
        return refusal(status, action, actor)
    match move.sets:
        case PaymentFact():
            return facts.model_copy(update={"payment": move.sets})
        case FulfilmentFact():
            return facts.model_copy(update={"fulfilment": move.sets})
        case ReviewFact():
            return facts.model_copy(update={"review": move.sets})
    return facts


class Folded(Message):
    """An order's status as it follows from its sub-orders', and whether one of them needs a person."""

    status: Status
    needs_attention: bool


_ON_THE_WAY = {Status.SHIPPED, Status.COMPLETED, Status.REVIEWED}
_RECEIVED = {Status.COMPLETED, Status.REVIEWED}


def fold(sub_orders: Iterable[Status]) -> Folded:
    """The status of an order that is split, from its sub-orders' statuses. Closed sub-orders are left out, unless all
    are closed."""
    every = list(sub_orders)
    live = [status for status in every if status is not Status.CLOSED]
    needs_attention = Status.EXCEPTION in live
    return Folded(status=_fold_live(live), needs_attention=needs_attention)


def _fold_live(live: Sequence[Status]) -> Status:
    if not live:
        return Status.CLOSED
    if all(status is Status.REVIEWED for status in live):
        return Status.REVIEWED
    if all(status in _RECEIVED for status in live):
        return Status.COMPLETED
    if all(status in _ON_THE_WAY for status in live):
        return Status.SHIPPED
    if any(status in _ON_THE_WAY for status in live):
        return Status.PARTIALLY_SHIPPED
    return Status.AWAITING_SHIPMENT
