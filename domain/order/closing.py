"""What may be closed before it ships, by whom, and what a party is told that may not close it."""

from collections.abc import Mapping

from domain.order.status import (
    Action,
    Actor,
    CloseReason,
    Facts,
    Refused,
    Status,
    act,
    allowed,
    fold,
    refusal,
    status_of,
)

CLOSING_ACT = {
    CloseReason.UNPAID: (Action.EXPIRE, Actor.CLOCK),
    CloseReason.CANCELLED_BY_BUYER: (Action.CANCEL, Actor.BUYER),
    CloseReason.CANCELLED_BY_PLATFORM: (Action.CANCEL, Actor.PLATFORM),
    CloseReason.CANCELLED_BY_MERCHANT: (Action.CANCEL, Actor.MERCHANT),
    CloseReason.RISK_REJECTED: (Action.REJECT, Actor.PLATFORM),
    CloseReason.OUT_OF_STOCK: (Action.CANCEL, Actor.CLOCK),
}
"""What an order that is not split is closed by: the action of the status table, and whose it is."""


def why_not_cancelled(named: Mapping[str, Facts], actor: Actor) -> Refused | None:
    """Why these sub-orders (facts by number) can't all be cancelled, with what this party may do instead; None when
    they can. Those that are closed already don't matter, unless all of them are."""
    live = {number: facts for number, facts in named.items() if status_of(facts) is not Status.CLOSED}
    status = fold(status_of(facts) for facts in named.values()).status
    if not live:
        return refusal(status, Action.CANCEL, actor)
    cancellable = [number for number, facts in live.items() if isinstance(act(facts, Action.CANCEL, actor), Facts)]
    if len(cancellable) == len(live):
        return None
    shipped = len(live) - len(cancellable)
    why = f"{shipped} of {len(live)} sub-orders can't be cancelled any more, since they have shipped"
    if cancellable:
        why += f"; cancel by itself what has not: {', '.join(cancellable)}"
    possible = tuple(sorted({action for facts in live.values() for action in allowed(status_of(facts), actor)}))
    listed = ", ".join(possible) or "nothing"
    return Refused(status=status, action=Action.CANCEL, allowed=possible, reason=f"{why}; allowed now: {listed}")
