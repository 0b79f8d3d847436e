"""Stories of whole orders that are played in several ways, what others begin with, and how their runs look."""

from collections.abc import Awaitable, Callable
from itertools import count, islice
from typing import Any

from domain.order.order_number import parse
from domain.order.status import Actor, CloseReason, Status
from domain.risk import Decision
from tests.support.endings import closed_and_given_back
from tests.support.shop import Person, Shop, until
from workflows import run_names

FAR: dict[str, Any] = {"payment_window_s": 600, "review_window_s": 600, "escalation_window_s": 600}


async def paid(shop: Shop, order_no: str) -> list[str]:
    """The sub-orders of an order that its buyer pays."""
    await shop.pay(order_no)
    return await shop.split(order_no)


_small_numbers = count(1)  # of orders that no checkout has made


async def suspicious(shop: Shop, on_device_of: Person | None = None) -> Person:
    """Somebody who has placed so many orders within the hour that risk wants a person to look."""
    # Other tests have such buyers too: what is usual here must not make them look usual.
    await shop.risk.change_settings({"velocity_factor": 1}, author="tests")
    person = Person(on_device_of=on_device_of)
    for number in islice(_small_numbers, 12):
        await shop.sql(
            "INSERT INTO orders (order_no, buyer_id, caller, device_id, ip, address, address_key, phone_key,"
            " goods_fen, shipping_fen, amount_due_fen, coupons, rules, terms, currency, payment, status, placed_at,"
            " close_reason)"
            " VALUES (:no, :buyer, 'test', :key, '', '{}', :key, :key, 100, 0, 100, '[]', '{}', '{}', 'CNY', 'UNPAID',"
            " 'CLOSED',"
            " now() - interval '10 minutes', 'UNPAID')",
            no=number,
            buyer=person.buyer_id,
            key=f"elsewhere-{number}",
        )
    return person


def attribute(described: object, key: object) -> object:
    """A search attribute of a run, or None."""
    return described.typed_search_attributes.get(key)  # type: ignore[attr-defined]


async def paid_shipped_delivered_and_received_by_the_buyer_and_by_the_clock(shop: Shop) -> None:
    """Story 1."""
    skus = [await shop.sku(merchant="m1"), await shop.sku(merchant="m1"), await shop.sku(merchant="m2")]
    order_no = await shop.place(skus, receipt_window_s=1)
    first, second = await paid(shop, order_no)
    for number in (first, second):
        assert (await shop.ship(number)).refused is None
    assert (await shop.confirm(first)).status is Status.COMPLETED
    assert (await shop.deliver(second)).refused is None
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    view = await shop.show(order_no)
    assert {sub.merchant for sub in view.sub_orders} == {"m1", "m2"}
    assert sum(sub.pay_fen for sub in view.sub_orders) == view.amount_due_fen == 3000
    assert [line.shipped for line in view.lines] == [1, 1, 1]
    received = {event.subject: event.actor for event in view.events if event.action == "CONFIRM_RECEIPT"}
    assert received == {first: Actor.BUYER, second: Actor.CLOCK}
    assert await shop.money(order_no) == {"provider": 3000, "orders": -3000}
    assert (await shop.level(skus[0]))["deducted"] == 1


async def a_buyer_who_cancels_after_paying_is_refunded(shop: Shop) -> None:
    """Story 3, between payment and shipping."""
    skus = [await shop.sku(merchant="m1"), await shop.sku(merchant="m2")]
    order_no = await shop.place(skus)
    await paid(shop, order_no)
    assert (await shop.cancel(order_no)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, *skus)
    assert [refund.amount_fen for refund in (await shop.show(order_no)).refunds] == [2000]


async def a_review_holds_the_dispatch_until_a_person_approves(shop: Shop) -> None:
    """Story 5: alarm, mark, decision by an update."""
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    described = await until(shop.run(order_no).describe, lambda run: bool(attribute(run, run_names.NEEDS_ATTENTION)))
    assert attribute(described, run_names.RISK_VERDICT) == "REVIEW"
    alarms = await shop.sql("SELECT 1 FROM outbox WHERE topic = 'alarm' AND body->>'order_no' = :no", no=order_no)
    assert len(alarms) == 1
    assert (await shop.show(order_no)).sub_orders == []
    decision = Decision(approved=True, author="ann", note="a good customer")
    assert (await shop.acts.decide_risk(parse(order_no), decision)).refused is None
    (number,) = await shop.split(order_no)
    assert (await shop.acts.decide_risk(parse(order_no), decision)).refused is not None
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    described = await shop.run(order_no).describe()
    assert attribute(described, run_names.NEEDS_ATTENTION) is False
    assert attribute(described, run_names.RISK_VERDICT) == "PASS"


async def a_hand_over_that_fails_shows_on_both_runs_and_heals_by_itself(shop: Shop) -> None:
    """Story 8: the other sub-order goes on meanwhile."""
    skus = [await shop.sku(merchant="m-down"), await shop.sku(merchant="m-up")]
    await shop.bad_days(hand_over_fails_for=["m-down"])
    order_no = await shop.place(skus)
    down, up = await paid(shop, order_no)
    view = await shop.when(order_no, lambda view: view.sub_orders[0].status is Status.EXCEPTION)
    assert [mark.subject for mark in view.attention] == [down]
    for run in (shop.run(order_no), shop.sub_run(down)):
        await until(run.describe, lambda run: attribute(run, run_names.NEEDS_ATTENTION) is True)
    await shop.ship(up)
    assert (await shop.show(order_no)).status is Status.PARTIALLY_SHIPPED
    await shop.bad_days()
    await shop.when(order_no, lambda view: not view.attention)
    assert (await shop.show(order_no)).sub_orders[0].status is Status.AWAITING_SHIPMENT
    for run in (shop.run(order_no), shop.sub_run(down)):
        await until(run.describe, lambda run: attribute(run, run_names.NEEDS_ATTENTION) is False)
    for number in (down, up):
        await shop.ship(number)
        await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


Story = Callable[[Shop], Awaitable[None]]
# They are played on every kind of worker: with a cache, and without one.
PLAYED: tuple[Story, ...] = (
    paid_shipped_delivered_and_received_by_the_buyer_and_by_the_clock,
    a_buyer_who_cancels_after_paying_is_refunded,
    a_review_holds_the_dispatch_until_a_person_approves,
    a_hand_over_that_fails_shows_on_both_runs_and_heals_by_itself,
)
