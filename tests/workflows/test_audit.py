"""The audit finds what is held for runs that are gone, and brings them back; an order with a run is never touched."""

import asyncio
import uuid

from temporalio.client import WorkflowExecutionStatus

from activities.stock import ReleaseStock
from domain.order.lines import Placement, RefusalCode
from domain.order.status import CloseReason, Status
from domain.order.stock import PurchaseLimit
from store.stock.changes import set_limit
from tests.support.audits import approve, audit, delete, done_about, lost_in_placing, received, terminate
from tests.support.endings import closed_and_given_back
from tests.support.shop import Person, Shop, until
from tests.support.stories import FAR, paid, suspicious
from tests.support.trade import cart, coupon, coupon_state, merchant, promote

# --- an order that has lost its run


async def test_an_unpaid_order_that_was_terminated_keeps_its_deadline_and_can_be_paid(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()], **FAR)
    before = await shop.show(order_no)
    await terminate(shop, order_no)
    assert done_about(await audit(shop), order_no) == ["started again, its run had ended: TERMINATED"]
    await paid(shop, order_no)
    assert (await shop.show(order_no)).pay_by == before.pay_by
    await received(shop, order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_an_unpaid_order_that_was_terminated_closes_at_its_deadline(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    await terminate(shop, order_no)
    await audit(shop)
    await closed_and_given_back(shop, order_no, CloseReason.UNPAID, sku)


async def test_a_paid_order_that_was_terminated_before_its_split_ships(shop: Shop) -> None:
    """Long before its deadline: the run does not wait for a payment that is there."""
    order_no = await shop.place([await shop.sku()], await suspicious(shop), **FAR)
    await shop.when(order_no, lambda view: bool(view.attention))
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await terminate(shop, order_no)
    assert done_about(await audit(shop), order_no)
    await approve(shop, order_no)
    await received(shop, order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert (await shop.show(order_no)).refunds == []


async def test_money_that_came_while_an_order_had_no_run_is_its_own(shop: Shop) -> None:
    """Whoever finds it first, the relay or the deadline: the story goes on, and nothing is refunded."""
    order_no = await shop.place([await shop.sku()], **FAR)
    await terminate(shop, order_no)
    await shop.pay(order_no)
    await received(shop, order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert await shop.provider_kept(order_no) == 1000
    assert await shop.sql("SELECT 1 FROM captures WHERE payment_id = :no AND fate = 'STRAY'", no=order_no) == []


async def test_an_order_whose_payment_only_the_provider_knows_of_goes_on_at_its_deadline(shop: Shop) -> None:
    await shop.bad_days(notify_delay_s=600)
    order_no = await shop.place([await shop.sku()], payment_window_s=4)
    await shop.pay(order_no)
    await terminate(shop, order_no)
    await asyncio.sleep(4)
    await audit(shop)
    await received(shop, order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert (await shop.show(order_no)).refunds == []


async def test_a_deleted_order_is_rebuilt_from_the_database(shop: Shop) -> None:
    person, owner = Person(), merchant()
    sku = await shop.sku(merchant=owner)
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    code = await coupon(shop, off, person.buyer_id)
    asked = cart(shop, person, 800, (sku, 1), coupons=(code,))
    placement = await shop.ask(asked, payment_window_s=4)
    order_no = placement.order_no
    await delete(shop, shop.run(order_no).id)
    assert done_about(await audit(shop), order_no) == ["started again, its run had ended: NOT_FOUND"]
    await closed_and_given_back(shop, order_no, CloseReason.UNPAID, sku)
    assert await coupon_state(shop, code) == "AVAILABLE"


async def test_an_order_and_its_sub_orders_that_are_all_gone_come_back_and_end(shop: Shop) -> None:
    skus = [await shop.sku(merchant="m1"), await shop.sku(merchant="m2"), await shop.sku(merchant="m3")]
    order_no = await shop.place(skus)
    first, second, third = await paid(shop, order_no)
    await shop.when(order_no, lambda view: all(part.handed_over_at for part in view.sub_orders))
    await shop.ship(first)
    await shop.confirm(first)
    await shop.ship(second)
    assert (await shop.cancel(third)).refused is None
    runs = (shop.run(order_no), *(shop.sub_run(number) for number in (first, second, third)))
    await delete(shop, *(run.id for run in runs))
    assert done_about(await audit(shop), order_no)
    await until(lambda: shop.confirm(second), lambda answer: answer.refused is None)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert [await shop.level(sku) for sku in skus][2]["available"] == 10
    assert await shop.money(order_no) == {"provider": 2000, "orders": -2000}


async def test_a_sub_order_that_is_terminated_after_its_order_was_starts_again(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()])
    (number,) = await paid(shop, order_no)
    await shop.when(order_no, lambda view: view.sub_orders[0].handed_over_at is not None)
    await terminate(shop, order_no)
    await audit(shop)
    await until(shop.run(order_no).describe, lambda run: run.status is WorkflowExecutionStatus.RUNNING)
    await asyncio.sleep(1)
    await shop.sub_run(number).terminate("by mistake")
    await asyncio.sleep(1)
    await audit(shop)
    await received(shop, order_no)
    await shop.run(order_no).signal("try_again")
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_a_closing_that_was_cut_short_is_finished(shop: Shop) -> None:
    """The refund was decided, and nobody is left to make it."""
    sku = await shop.sku()
    order_no = await shop.place([sku])
    await paid(shop, order_no)
    await shop.bad_days(refund_refuses=True)
    await shop.cancel(order_no)
    await shop.when(order_no, lambda view: bool(view.refunds))
    await terminate(shop, order_no)
    await shop.bad_days()
    assert done_about(await audit(shop), order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_goods_that_were_given_back_in_a_lost_closing_are_not_shipped(shop: Shop) -> None:
    """The stock went back, the closing did not come to be written: what is paid for then goes back, too."""
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    await terminate(shop, order_no)
    await shop.stock.release(ReleaseStock(order_no=order_no))
    await audit(shop)
    await approve(shop, order_no)
    await closed_and_given_back(shop, order_no, CloseReason.OUT_OF_STOCK, sku)


# --- no order


async def test_a_reservation_without_an_order_goes_back_and_the_caller_is_told(shop: Shop) -> None:
    """Its run was lost between the reserve and the record. The purchase limit and the coupon are free again."""
    person, owner, key = Person(), merchant(), uuid.uuid4().hex
    sku = await shop.sku(merchant=owner)
    await set_limit(shop.engine, PurchaseLimit(sku=sku, pieces=1, window_s=3_600), "tests")
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    code = await coupon(shop, off, person.buyer_id)
    asked = cart(shop, person, 800, (sku, 1), coupons=(code,))
    order_no = await lost_in_placing(shop, key, asked)
    report = await audit(shop)
    assert done_about(report, order_no) == ["given back, there is no such order and no run of it: NOT_FOUND"]
    assert await shop.level(sku) == {"sellable_total": 10, "available": 10, "reserved": 0, "deducted": 0}
    assert await coupon_state(shop, code) == "AVAILABLE"
    told = await shop.checkout().place("test", key, asked)
    assert isinstance(told, Placement)
    assert told.refusal is not None
    assert told.refusal.code is RefusalCode.NOT_PLACED
    again = await shop.ask(asked)
    assert again.refusal is None
    await shop.cancel(again.order_no)
