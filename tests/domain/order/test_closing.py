"""Who may close what before it ships, and what is said to who may not."""

from datetime import date

import pytest

from domain.order.closing import CLOSING_ACT, why_not_cancelled
from domain.order.presale import why_not_rescheduled, why_not_shipped
from domain.order.status import Action, Actor, CloseReason, Facts, FulfilmentFact, PaymentFact, Status, act

WAITING = Facts(payment=PaymentFact.PAID)
SHIPPED = WAITING.model_copy(update={"fulfilment": FulfilmentFact.SHIPPED})
CLOSED = WAITING.model_copy(update={"fulfilment": FulfilmentFact.CLOSED})
DAY, BEFORE = date(2026, 12, 24), date(2026, 12, 23)


def test_what_has_not_shipped_may_be_cancelled_beside_what_is_closed() -> None:
    """What is closed is done with."""
    assert why_not_cancelled({"01": WAITING, "02": CLOSED}, Actor.BUYER) is None


def test_one_that_has_shipped_refuses_the_cancel_of_all_and_says_which_can_be() -> None:
    """With what this party may do instead, with any of them."""
    refused = why_not_cancelled({"01": WAITING, "02": SHIPPED, "03": CLOSED}, Actor.BUYER)
    assert refused is not None
    assert (refused.status, refused.action) == (Status.PARTIALLY_SHIPPED, Action.CANCEL)
    assert refused.allowed == (Action.CANCEL, Action.CONFIRM_RECEIPT)
    assert refused.reason == (
        "1 of 2 sub-orders can't be cancelled any more, since they have shipped; cancel by itself what has not: 01; "
        "allowed now: CANCEL, CONFIRM_RECEIPT"
    )


def test_what_is_closed_altogether_is_not_cancelled_again() -> None:
    """The refusal says that it is closed."""
    refused = why_not_cancelled({"01": CLOSED}, Actor.MERCHANT)
    assert refused is not None
    assert (refused.status, refused.allowed) == (Status.CLOSED, ())


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason is not CloseReason.REFUSED])
def test_every_reason_to_close_an_order_is_an_act_that_the_status_table_allows(reason: CloseReason) -> None:
    """Unpaid, it can expire; paid, it can be cancelled. A refused one was never an order."""
    action, actor = CLOSING_ACT[reason]
    before = Facts() if reason is CloseReason.UNPAID else WAITING
    assert act(before, action, actor) == before.model_copy(update={"fulfilment": FulfilmentFact.CLOSED})


def test_a_presale_ships_on_its_date_and_not_before() -> None:
    """Anything else ships when it likes."""
    early = why_not_shipped(Status.AWAITING_SHIPMENT, Actor.MERCHANT, DAY, BEFORE)
    assert early is not None
    assert early.reason.startswith("it is a presale, and ships from 2026-12-24; allowed now:")
    assert why_not_shipped(Status.AWAITING_SHIPMENT, Actor.MERCHANT, DAY, DAY) is None
    assert why_not_shipped(Status.AWAITING_SHIPMENT, Actor.MERCHANT, None, BEFORE) is None


def test_a_ship_date_moves_until_the_goods_are_handed_over() -> None:
    """What has no ship date has none to move."""
    status, who = Status.AWAITING_SHIPMENT, Actor.MERCHANT
    assert why_not_rescheduled(status, who, DAY, handed_over=False) is None
    late = why_not_rescheduled(status, who, DAY, handed_over=True)
    none = why_not_rescheduled(status, who, None, handed_over=True)
    assert late is not None and none is not None
    assert late.reason.startswith("the merchant's warehouse has it already")
    assert none.reason.startswith("it is no presale")
