"""The stories, each to its ending, on the real dev server with real HTTP between the parties."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.order.order_number import parse
from domain.order.status import CloseReason, Status
from domain.risk import Decision
from tests.support.endings import closed_and_given_back
from tests.support.shop import Person, Shop, until
from tests.support.stories import FAR, PLAYED, Story, paid, suspicious


@pytest.mark.parametrize("story", PLAYED, ids=lambda story: story.__name__)
async def test_a_story_ends_as_it_should(shop: Shop, story: Story) -> None:
    await story(shop)


async def test_an_order_that_nobody_pays_closes_at_its_deadline_and_gives_the_stock_back(shop: Shop) -> None:
    """Story 2."""
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    assert (await shop.level(sku))["reserved"] == 1
    await closed_and_given_back(shop, order_no, CloseReason.UNPAID, sku)
    assert (await shop.http.post(f"/cashier/{order_no}/pay", json={})).status_code == 409


async def test_one_sub_order_cancels_by_itself_and_the_other_goes_on(shop: Shop) -> None:
    """A partial refund never blocks the rest."""
    skus = [await shop.sku(merchant="m1"), await shop.sku(merchant="m2", price_fen=1000)]
    order_no = await shop.place(skus)
    first, second = await paid(shop, order_no)
    assert (await shop.cancel(first)).refused is None
    await shop.ship(second)
    answer = await shop.cancel(order_no)
    assert answer.refused is not None
    await shop.confirm(second)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert await shop.money(order_no) == {"provider": 1000, "orders": -1000}
    assert (await shop.level(skus[0]))["available"] == 10


async def test_risk_rejects_before_the_payment_and_the_order_closes(shop: Shop) -> None:
    """Story 5."""
    sku = await shop.sku(limited=True)
    other = Person()
    first = await shop.place([sku], other, **FAR)
    cart = shop.cart([sku], await suspicious(shop, other), expected_fen=3000, quantity=3)
    order_no = (await shop.ask(cart, **FAR)).order_no
    ended = await shop.ended(order_no)
    assert ended.close_reason is CloseReason.RISK_REJECTED
    assert (await shop.level(sku))["reserved"] == 1, "only the other buyer's"
    await shop.cancel(first)


async def test_risk_rejects_after_the_payment_and_the_money_goes_back(shop: Shop) -> None:
    """Story 5: the person rejects what was paid meanwhile."""
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    decision = Decision(approved=False, author="ann", note="a reseller")
    assert (await shop.acts.decide_risk(parse(order_no), decision)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.RISK_REJECTED, sku)


@pytest.mark.parametrize("passes", [True, False])
async def test_a_review_nobody_decides_escalates_and_falls_to_the_configured_side(shop: Shop, passes: bool) -> None:
    """Story 5."""
    sku = await shop.sku()
    order_no = await shop.place(
        [sku], await suspicious(shop), review_window_s=1, escalation_window_s=1, undecided_passes=passes
    )
    await shop.pay(order_no)
    if passes:
        assert len(await shop.split(order_no)) == 1
    else:
        await closed_and_given_back(shop, order_no, CloseReason.RISK_REJECTED, sku)
    alarms = await shop.sql("SELECT 1 FROM outbox WHERE topic = 'alarm' AND body->>'order_no' = :no", no=order_no)
    assert len(alarms) == 2, "one with the verdict, one when it escalated"


async def test_an_order_of_nothing_asks_for_no_payment_and_does_not_expire(shop: Shop) -> None:
    """Story 7; edge case 8."""
    sku = await shop.sku(price_fen=0)
    placement = await shop.ask(shop.cart([sku], Person(), expected_fen=0), payment_window_s=1)
    assert (placement.amount_due_fen, placement.payment_link, placement.pay_by) == (0, None, None)
    (number,) = await shop.split(placement.order_no)
    await asyncio.sleep(1.5)
    assert (await shop.show(placement.order_no)).status is Status.AWAITING_SHIPMENT
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(placement.order_no)).status is Status.COMPLETED


async def test_the_cancel_button_refunds_what_is_paid_and_is_refused_what_has_shipped(shop: Shop) -> None:
    skus = [await shop.sku(), await shop.sku()]
    refunded, shipped = await shop.place(skus[:1]), await shop.place(skus[1:])
    await paid(shop, refunded)
    (number,) = await paid(shop, shipped)
    await shop.ship(number)
    for order_no in (refunded, shipped):
        await shop.run(order_no).cancel()
    await closed_and_given_back(shop, refunded, CloseReason.CANCELLED_BY_PLATFORM, skus[0])
    await shop.confirm(number)
    assert (await shop.ended(shipped)).status is Status.COMPLETED


async def test_a_terminated_sub_order_starts_again_where_it_was(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku])
    (number,) = await paid(shop, order_no)
    await shop.ship(number)
    await shop.sub_run(number).terminate("by mistake")
    run = shop.sub_run(number)
    await until(run.describe, lambda run: run.status is WorkflowExecutionStatus.RUNNING)
    assert (await shop.confirm(number)).refused is None
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    handed = (await shop.http.get("/merchants/m1/hand-overs")).json()
    assert sum(parcel["sub_order_no"] == number for parcel in handed) == 1
