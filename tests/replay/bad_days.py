"""Story 8 and its like: a party is down, the run shows it, and heals by itself; or is left in the middle of it."""

import asyncio
from typing import Any

from domain.order.status import Status
from tests.replay.stage import FAR, Stage, story
from tests.support.shop import Person, until

OUTSIDE = "outside"
CASHIER = "cashier"
DAYS: dict[str, dict[str, Any]] = {
    OUTSIDE: {"hand_over_fails_for": ["m-down"], "refund_fails": True, "close_fails": True},
    CASHIER: {"create_fails": True},
}


@story(OUTSIDE)
async def hand_over_fails_and_heals(on: Stage) -> None:
    order_no, (down, up) = await on.paid("m-down", "m-up")
    await on.needs_person(order_no, "hand-over")
    await on.shop.ship(up)
    await on.better()
    await on.shop.when(order_no, lambda view: not view.attention)
    await on.shop.ship(down)
    for number in (down, up):
        await on.shop.confirm(number)
    await on.shop.ended(order_no)


@story(OUTSIDE)
async def hand_over_fails_and_the_parcel_ships(on: Stage) -> None:
    """The merchant shipped it without the hand-over, while its system was down."""
    order_no, (number,) = await on.paid("m-down")
    await on.needs_person(order_no, "hand-over")
    await on.received(number)
    await on.shop.ended(order_no)
    await on.better()


@story(OUTSIDE)
async def hand_over_fails_and_the_order_is_cancelled(on: Stage) -> None:
    order_no, _ = await on.paid("m-down", "m-up")
    await on.needs_person(order_no, "hand-over")
    await cancelled_with_the_provider_down(on, order_no, order_no)


async def cancelled_with_the_provider_down(on: Stage, order_no: str, number: str) -> None:
    cancelling = asyncio.create_task(on.shop.cancel(number))
    await on.needs_person(order_no, "refund")
    await on.better()
    await asyncio.gather(cancelling, return_exceptions=True)  # the caller may have been told to ask again
    await on.shop.ended(order_no)


@story(OUTSIDE)
async def refund_fails_and_heals(on: Stage) -> None:
    order_no, _ = await on.paid()
    await cancelled_with_the_provider_down(on, order_no, order_no)


@story(OUTSIDE)
async def refund_of_a_sub_order_fails_and_heals(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await cancelled_with_the_provider_down(on, order_no, number)


@story(OUTSIDE)
async def stray_refund_fails_and_heals(on: Stage) -> None:
    order_no, numbers = await on.paid()
    await on.shop.pay(order_no, force=True)
    await on.needs_person(order_no, "refund")
    await on.better()
    await on.received(*numbers)
    await on.shop.ended(order_no)


@story(OUTSIDE)
async def payment_closing_fails_and_heals(on: Stage) -> None:
    order_no = await on.order(payment_window_s=1)
    await on.needs_person(order_no, "payment closing")
    await on.better()
    await on.shop.ended(order_no)


@story(OUTSIDE, open=True)
async def open_hand_over_stuck(on: Stage) -> None:
    order_no, _ = await on.paid("m-down", "m-up")
    await on.needs_person(order_no, "hand-over")


@story(OUTSIDE, open=True)
async def open_refund_stuck(on: Stage) -> None:
    order_no, _ = await on.paid()
    cancelling = asyncio.create_task(on.shop.cancel(order_no))
    await on.needs_person(order_no, "refund")
    cancelling.cancel()  # the caller has gone; what it asked for goes on
    await asyncio.gather(cancelling, return_exceptions=True)


@story(CASHIER)
async def payment_page_fails_and_heals(on: Stage) -> None:
    person = Person()
    sku = await on.shop.sku()
    placing = asyncio.create_task(on.shop.place([sku], person, **FAR))
    rows = await until(
        lambda: on.shop.sql(
            "SELECT order_no FROM attentions JOIN orders USING (order_no) WHERE buyer_id = :id", id=person.buyer_id
        ),
        bool,
    )
    order_no = str(rows[0].order_no)
    on.about.append(order_no)
    await on.better()
    assert await placing == order_no
    await on.shop.pay(order_no)
    await on.shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)
