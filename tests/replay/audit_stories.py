"""Stories of the audit: orders that lost their run, what it did about them; and the cap on unpaid orders."""

import uuid

from domain.order.status import Status
from tests.replay.stage import FAR, Stage, story
from tests.replay.trade_stories import placed, with_coupon
from tests.support.audits import approve, look_at, lost_in_placing, received, terminate
from tests.support.shop import Person, until


async def audited(on: Stage) -> None:
    on.audits.append(await look_at(on.shop))


@story()
async def brought_back_unpaid(on: Stage) -> None:
    order_no = await on.order(payment_window_s=2)
    await terminate(on.shop, order_no)
    await audited(on)
    await on.shop.ended(order_no)


@story()
async def brought_back_paid(on: Stage) -> None:
    order_no = await on.order(person=await on.suspicious(), **FAR)
    await on.shop.pay(order_no)
    await on.shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await terminate(on.shop, order_no)
    await audited(on)
    await approve(on.shop, order_no)
    await received(on.shop, order_no)
    await on.shop.ended(order_no)


@story()
async def brought_back_after_the_split(on: Stage) -> None:
    """One sub-order is received, one closed, and of one the run is still there."""
    order_no, (first, second, third) = await on.paid("m1", "m2", "m3")
    await on.received(first)
    await on.shop.cancel(second)
    await until(on.shop.sub_run(second).describe, lambda run: run.close_time is not None)
    await terminate(on.shop, order_no)
    await audited(on)
    await until(on.shop.run(order_no).describe, lambda run: run.close_time is None)
    await on.received(third)
    await on.shop.ended(order_no)


@story()
async def told_to_look_again(on: Stage) -> None:
    """Both were terminated: the order came back first, while its sub-order's run was still there."""
    order_no, (number,) = await on.paid()
    await terminate(on.shop, order_no)
    await audited(on)
    await until(on.shop.run(order_no).describe, lambda run: run.close_time is None)
    await on.shop.sub_run(number).terminate("by mistake")
    await until(lambda: on.there_is_none(number), bool)
    await audited(on)
    await on.received(number)
    await on.shop.ended(order_no)


@story()
async def given_back_without_an_order(on: Stage) -> None:
    asked = await with_coupon(on)
    await lost_in_placing(on.shop, uuid.uuid4().hex, asked)
    await audited(on)


@story()
async def books_that_do_not_add_up(on: Stage) -> None:
    sku = await on.shop.sku()
    order_no = await placed(on, on.shop.cart([sku], Person(), expected_fen=1000), **FAR)
    change = "UPDATE stock_reservations SET quantity = :pieces WHERE order_no = :no"
    await on.shop.sql(change, pieces=2, no=int(order_no))
    await audited(on)
    await on.shop.sql(change, pieces=1, no=int(order_no))
    await on.shop.cancel(order_no)
    await on.shop.ended(order_no)


@story()
async def too_many_unpaid_orders(on: Stage) -> None:
    person, sku = Person(), await on.shop.sku()
    await on.shop.place([sku], person, **FAR)
    refused = await on.shop.ask(on.shop.cart([sku], person, expected_fen=1000), unpaid_orders_per_buyer=1, **FAR)
    assert refused.refusal is not None
    on.about.append(refused.order_no)
