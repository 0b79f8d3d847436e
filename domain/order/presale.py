"""A presale ships from a date on, and that date can be moved until the goods have left."""

from datetime import date

from domain.order.status import Action, Actor, Refused, Status, refusal


def why_not_shipped(status: Status, actor: Actor, ships_from: date | None, today: date) -> Refused | None:
    """Why a sub-order can't ship yet; None when it can. One without a date is no presale."""
    if ships_from is None or today >= ships_from:
        return None
    return refusal(status, Action.SHIP, actor, f"it is a presale, and ships from {ships_from}")


def why_not_rescheduled(status: Status, actor: Actor, ships_from: date | None, handed_over: bool) -> Refused | None:
    """Why the ship date can't be moved; None when it can."""
    if ships_from is None:
        return refusal(status, Action.RESCHEDULE, actor, "it is no presale")
    if handed_over:
        return refusal(status, Action.RESCHEDULE, actor, "the merchant's warehouse has it already")
    return None
