"""The windows at their real lengths, on the time-skipping server: minutes and weeks pass in a second."""

from datetime import timedelta

from domain.order.status import Actor, CloseReason, Status
from tests.support.shop import Shop, until


async def test_thirty_minutes_without_a_payment_close_the_order(virtual: Shop) -> None:
    sku = await virtual.sku()
    order_no = await virtual.place([sku])
    ended = await virtual.ended(order_no)
    assert ended.close_reason is CloseReason.UNPAID
    view = await virtual.show(order_no)
    closed = next(event.at for event in view.events if event.action == "EXPIRE")
    assert closed - view.placed_at >= timedelta(minutes=30)
    assert (await virtual.level(sku))["available"] == 10


async def test_a_week_after_the_delivery_the_clock_confirms_the_receipt(virtual: Shop) -> None:
    assert virtual.environment is not None
    with virtual.environment.with_time_skipping_disabled():
        order_no = await virtual.place([await virtual.sku()])
        await virtual.pay(order_no)
        (number,) = await virtual.split(order_no)
        await virtual.ship(number)
        await virtual.deliver(number)
    await virtual.environment.fast_forward(virtual.sub_run(number), timedelta(days=7, seconds=1))
    assert (await virtual.ended(order_no)).status is Status.COMPLETED
    view = await virtual.show(order_no)
    received = next(event for event in view.events if event.action == "CONFIRM_RECEIPT")
    assert received.actor == Actor.CLOCK


async def test_a_parcel_that_is_two_weeks_under_way_needs_a_person(virtual: Shop) -> None:
    assert virtual.environment is not None
    with virtual.environment.with_time_skipping_disabled():
        order_no = await virtual.place([await virtual.sku()])
        await virtual.pay(order_no)
        (number,) = await virtual.split(order_no)
        await virtual.ship(number)
        await virtual.environment.fast_forward(virtual.sub_run(number), timedelta(days=15, seconds=1))
        view = await virtual.when(order_no, lambda view: bool(view.attention))
        assert view.attention[0].topic == "transit"
        await virtual.deliver(number)
        await until(lambda: virtual.show(order_no), lambda view: not view.attention)
        await virtual.confirm(number)
    assert (await virtual.ended(order_no)).status is Status.COMPLETED
