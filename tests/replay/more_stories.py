"""Stories 5 to 7: risk, payments at odds with the order, nothing due; and orders that are left in the middle."""

from typing import Any

from domain.order.order_number import parse
from domain.order.status import Status
from domain.risk import Decision
from tests.replay.stage import FAR, Stage, story
from tests.support.endings import no_stray
from tests.support.shop import Person, until

APPROVED = Decision(approved=True, author="ann", note="a good customer")
REJECTED = Decision(approved=False, author="ann", note="a reseller")

# --- 5: the later risk check


@story()
async def risk_rejects_before_paying(on: Stage) -> None:
    sku, person = await on.shop.sku(limited=True), await on.suspicious()
    accomplice = Person(on_device_of=person)
    first = await on.shop.place([sku], accomplice, **FAR)
    placement = await on.shop.ask(on.shop.cart([sku], person, expected_fen=3000, quantity=3), **FAR)
    on.about.append(placement.order_no)
    await on.shop.ended(placement.order_no)
    await on.shop.cancel(first)


async def reviewed(on: Stage, decision: Decision) -> str:
    order_no = await on.order(person=await on.suspicious(), **FAR)
    await on.shop.pay(order_no)
    await on.shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await until(lambda: on.shop.acts.decide_risk(parse(order_no), decision), lambda answer: answer.refused is None)
    return order_no


@story()
async def risk_rejects_after_paying(on: Stage) -> None:
    await on.shop.ended(await reviewed(on, REJECTED))


@story()
async def review_approved(on: Stage) -> None:
    order_no = await reviewed(on, APPROVED)
    (number,) = await on.shop.split(order_no)
    assert (await on.shop.acts.decide_risk(parse(order_no), APPROVED)).refused is not None
    await on.received(number)
    await on.shop.ended(order_no)


async def undecided(on: Stage, *, passes: bool) -> str:
    order_no = await on.order(
        person=await on.suspicious(), review_window_s=1, escalation_window_s=1, undecided_passes=passes
    )
    await on.shop.pay(order_no)
    return order_no


@story()
async def review_undecided_passes(on: Stage) -> None:
    order_no = await undecided(on, passes=True)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def review_undecided_rejects(on: Stage) -> None:
    await on.shop.ended(await undecided(on, passes=False))


# --- 6: payments at odds with the order


@story()
async def paid_in_time_told_too_late(on: Stage) -> None:
    order_no = await on.order(payment_window_s=1)
    await on.shop.pay(order_no, delay_s=3)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def paid_too_late(on: Stage) -> None:
    order_no = await on.order(payment_window_s=1)
    await on.shop.ended(order_no)
    await on.shop.pay(order_no, force=True)
    await no_stray(on.shop, order_no)


@story()
async def paid_twice(on: Stage) -> None:
    order_no = await on.order()
    await on.shop.pay(order_no, times=2)
    await no_stray(on.shop, order_no)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def paid_wrong_then_right(on: Stage) -> None:
    order_no = await on.order(**FAR)
    wrongs: list[dict[str, Any]] = [{"amount_fen": 999}, {"currency": "USD"}]
    for wrong in wrongs:
        await on.shop.pay(order_no, force=True, **wrong)
    await no_stray(on.shop, order_no)
    await on.shop.pay(order_no, force=True)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def paid_wrong_and_found_at_the_deadline(on: Stage) -> None:
    order_no = await on.order(payment_window_s=1)
    await on.shop.pay(order_no, amount_fen=1, delay_s=600)
    await on.shop.ended(order_no)
    await no_stray(on.shop, order_no)


@story()
async def paid_for_an_unknown_order(on: Stage) -> None:
    on.about.append("no-such-order")
    await on.shop.pay("no-such-order", amount_fen=77, force=True)
    await no_stray(on.shop, "no-such-order")


# --- 7: nothing due


@story()
async def nothing_due(on: Stage) -> None:
    sku = await on.shop.sku(price_fen=0)
    order_no = await on.shop.place([sku], price_fen=0, payment_window_s=1)
    on.about.append(order_no)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


# --- left in the middle


@story(open=True)
async def open_awaiting_payment(on: Stage) -> None:
    await on.order(**FAR)


@story(open=True)
async def open_in_risk_review(on: Stage) -> None:
    order_no = await on.order(person=await on.suspicious(), **FAR)
    await on.shop.pay(order_no)
    await on.shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await on.needs_person(order_no, "risk review")


@story(open=True)
async def open_awaiting_shipment(on: Stage) -> None:
    await on.paid("m1", "m2")


@story(open=True)
async def open_in_transit(on: Stage) -> None:
    _, (first, _) = await on.paid("m1", "m2")
    await on.shop.ship(first)


@story(open=True)
async def open_delivered(on: Stage) -> None:
    _, (number,) = await on.paid()
    await on.shop.ship(number)
    await on.shop.deliver(number)
