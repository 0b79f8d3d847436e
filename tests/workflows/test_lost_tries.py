"""A worker dies in the middle of a workflow task: its local activities have had their effect, and nobody remembers.
The next try of the task may hear another message first, and take another way."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from activities.orders import AcceptPayment, CloseLines, CloseOrder, RecordSplit, SplitDone, SplitOrder
from activities.splitting import SplitActivities
from activities.stock import StockOf
from domain.order.cart import Terms
from domain.order.lines import OrderLine, Placement
from domain.order.order_number import parse
from domain.order.payment import Capture, ProviderPayment
from domain.order.precedence import CaptureOutcome
from domain.order.product import Product
from domain.order.status import Answer, CloseReason, Status
from domain.order.stock import StockPolicy
from domain.risk import Decision
from store.orders.order_book import PostgresOrderBook
from store.stock.physical import PostgresPhysical
from tests.support.audits import approve, lost_in_placing
from tests.support.books import NOW, SOMEBODY_WAITS, Ledgers, line
from tests.support.endings import books_balance, closed_and_given_back, no_stray
from tests.support.shop import Person, Shop, until
from tests.support.stories import FAR, suspicious
from tests.support.trade import cart, coupon, coupon_state, merchant, promote, shelf, shelve


def of_sku(sku: str) -> OrderLine:
    return line().model_copy(update={"sku": sku, "title": sku})


class WorkerDied(BaseException):
    """Where a process would be gone."""


class DiesBeforeTheRecord(PostgresOrderBook):
    async def record_split(self, request: RecordSplit) -> SplitDone:
        raise WorkerDied


async def in_review(shop: Shop, sku: str) -> str:
    """Paid, with nothing else done yet."""
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    return order_no


async def test_a_coupon_that_a_lost_try_took_for_this_order_is_no_reason_to_refuse_it(shop: Shop) -> None:
    """It is in use by this order and no other."""
    person, owner, key = Person(), merchant(), uuid.uuid4().hex
    sku = await shop.sku(merchant=owner)
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    code = await coupon(shop, off, person.buyer_id)
    asked = cart(shop, person, 800, (sku, 1), coupons=(code,))
    order_no = await lost_in_placing(shop, key, asked)
    placed = await shop.checkout().place("test", key, asked)
    assert isinstance(placed, Placement)
    assert (placed.order_no, placed.refusal) == (order_no, None)
    assert await coupon_state(shop, code) == "TAKEN"
    await shop.cancel(order_no)


async def test_a_refusal_after_a_lost_try_that_had_placed_the_order_lets_it_stand(shop: Shop) -> None:
    """This try looked the order up first; then the price went up. It can be paid, and its goods are there."""
    person, key, sku = Person(), uuid.uuid4().hex, await shop.sku()
    asked = shop.cart([sku], person, expected_fen=1_000)
    async with shop.engine.begin() as between:
        await between.execute(text("LOCK TABLE risk_settings"))  # the screening of this try waits
        answering = asyncio.create_task(shop.checkout().place("test", key, asked))
        await until(lambda: shop.sql(SOMEBODY_WAITS), bool)
        order_no = await lost_in_placing(shop, key, asked)
        await shop.book.record_order(
            Ledgers(shop.engine).record(order_no, [of_sku(sku)], person.buyer_id, at=datetime.now(UTC))
        )
        await shop.catalog.put(Product(sku=sku, merchant="m1", title="dearer by now", price_fen=1_200))
    placed = await answering
    assert isinstance(placed, Placement)
    assert (placed.order_no, placed.refusal) == (order_no, None)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    assert (await shop.level(sku))["available"] == 9
    await shop.cancel(order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_an_order_that_a_lost_try_has_paid_by_another_capture_is_paid(shop: Shop) -> None:
    """Paid twice: the lost try took the first capture, this one hears of the second and, while the order book decides,
    of the first."""
    order_no = await shop.place([await shop.sku()], **FAR)
    await shop.bad_days(notify_delay_s=4)
    await shop.pay(order_no, times=2)
    await shop.bad_days()
    first, second = ProviderPayment.model_validate_json((await shop.http.get(f"/payments/{order_no}")).text).captures
    taken = AcceptPayment(order_no=order_no, capture=first)
    assert (await shop.book.accept_payment(taken)).outcome is CaptureOutcome.ACCEPTED

    async def told(capture: Capture) -> CaptureOutcome:
        outcome: CaptureOutcome = await shop.run(order_no).execute_update(
            "receive_payment", capture, result_type=CaptureOutcome
        )
        return outcome

    async with shop.engine.begin() as between:
        await between.execute(text("SELECT 1 FROM orders WHERE order_no = :no FOR UPDATE"), {"no": int(order_no)})
        of_second = asyncio.create_task(told(second))
        await until(lambda: shop.sql(SOMEBODY_WAITS), bool)
        of_first = asyncio.create_task(told(first))
        # The run hears of it while it waits: as soon as its task tells the server that it takes longer.
        await asyncio.wait({of_first}, timeout=0.9 * shop.settings.workflow_task_timeout_s)
    assert (await of_first, await of_second) == (CaptureOutcome.DUPLICATE, CaptureOutcome.PAID_TWICE)
    await no_stray(shop, order_no)
    await shop.split(order_no)
    await shop.cancel(order_no)
    await shop.ended(order_no)
    await books_balance(shop, order_no)


async def test_an_order_that_a_lost_try_has_paid_at_the_deadline_is_not_closed_unpaid(shop: Shop) -> None:
    """The money came when the payment had just been closed, and this try does not hear of it. The clock beats nobody
    whose payment is on record."""
    order_no = await shop.place([await shop.sku()], payment_window_s=3)
    capture = Ledgers(shop.engine).capture(order_no)
    taken = AcceptPayment(order_no=order_no, capture=capture)
    assert (await shop.book.accept_payment(taken)).outcome is CaptureOutcome.ACCEPTED
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_an_order_that_a_lost_try_has_paid_at_the_deadline_can_still_be_cancelled(shop: Shop) -> None:
    """Not closed unpaid, it waits for a person's review; the cancel then closes it, and its money is owed."""
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), payment_window_s=3)
    taken = AcceptPayment(order_no=order_no, capture=Ledgers(shop.engine).capture(order_no))
    assert (await shop.book.accept_payment(taken)).outcome is CaptureOutcome.ACCEPTED
    await until(lambda: shop.http.get(f"/payments/{order_no}"), lambda answer: '"CLOSED"' in answer.text)
    await asyncio.sleep(1)  # by now it waits for the review
    assert (await shop.show(order_no)).status is Status.AWAITING_SHIPMENT
    assert (await shop.cancel(order_no)).refused is None
    view = await shop.show(order_no)
    assert (view.status, view.close_reason) == (Status.CLOSED, CloseReason.CANCELLED_BY_BUYER)
    assert (await shop.level(sku))["available"] == 10
    assert len(view.refunds) == 1  # owed, though it can't be made: the provider knows nothing of this capture


async def test_a_cancel_after_a_lost_try_that_had_sold_the_goods_brings_them_back(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await in_review(shop, sku)
    await shop.stock.deduct(StockOf(order_no=order_no))
    await shop.cancel(order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_a_cancel_after_a_lost_try_that_had_split_closes_the_sub_orders(shop: Shop) -> None:
    """One refund, and the goods are back."""
    sku = await shop.sku()
    order_no = await in_review(shop, sku)
    await shop.stock.deduct(StockOf(order_no=order_no))
    splitting = SplitActivities(shop.book, PostgresPhysical(shop.engine))
    assert (await splitting.split_order(SplitOrder(order_no=order_no, terms=Terms(), at=NOW))).sub_orders
    assert (await shop.cancel(order_no)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_a_cancel_after_a_lost_try_that_had_closed_a_line_and_split_pays_the_line_back_too(shop: Shop) -> None:
    """Two refunds: of the line that was gone, and of the rest."""
    owner = merchant()
    gone, there = await shop.sku(merchant=owner, pieces=1), await shop.sku(merchant=owner)
    await shop.catalog.set_policy(owner, StockPolicy.DEDUCT_ON_PAYMENT)
    order_no = await shop.place([gone, there], await suspicious(shop), **FAR)
    rival = await shop.place([gone])
    await shop.pay(rival)
    await shop.split(rival)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    assert [short.line_no for short in (await shop.stock.deduct(StockOf(order_no=order_no))).short] == [1]
    await shop.book.close_lines(CloseLines(order_no=order_no, lines=[1], at=NOW))
    splitting = SplitActivities(shop.book, PostgresPhysical(shop.engine))
    assert (await splitting.split_order(SplitOrder(order_no=order_no, terms=Terms(), at=NOW))).sub_orders
    assert (await shop.cancel(order_no)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, there)
    assert len((await shop.show(order_no)).refunds) == 2


async def test_a_cancel_after_a_lost_try_that_had_set_goods_aside_puts_them_back(shop: Shop) -> None:
    """The worker died between the two ledgers of the split: the warehouse's has it, the order book has not."""
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "shelf", **{sku: 5})
    order_no = await in_review(shop, sku)
    await shop.stock.deduct(StockOf(order_no=order_no))
    splitting = SplitActivities(DiesBeforeTheRecord(shop.engine), PostgresPhysical(shop.engine))
    with pytest.raises(WorkerDied):
        await splitting.split_order(SplitOrder(order_no=order_no, terms=Terms(), at=NOW))
    assert await shelf(shop, sku) == {"shelf": (4, 1, 0)}
    await shop.cancel(order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
    assert await shelf(shop, sku) == {"shelf": (5, 0, 0)}


async def test_a_decision_that_a_lost_try_has_kept_holds_against_a_later_one(shop: Shop) -> None:
    """Whoever decides second is told."""
    order_no = await in_review(shop, await shop.sku())
    await shop.risk.decide(order_no, Decision(approved=True, author="ann", note="called"), NOW)
    against = await shop.acts.decide_risk(parse(order_no), Decision(approved=False, author="ben", note="a reseller"))
    assert against.refused is not None and "otherwise" in against.refused.reason
    assert await shop.split(order_no)


async def test_a_receipt_whose_task_is_torn_by_another_message_ends_the_run_all_the_same(shop: Shop) -> None:
    """The run would have ended with it, but something else came meanwhile: Temporal throws the task away, and the
    message with it. The order book has the receipt by then, and must not answer in the run's place."""
    order_no = await shop.place([await shop.sku()])
    await shop.pay(order_no)
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    async with shop.engine.begin() as between:
        await between.execute(text("SELECT 1 FROM orders WHERE order_no = :no FOR UPDATE"), {"no": int(order_no)})
        confirming = asyncio.create_task(shop.confirm(number))
        await until(lambda: shop.sql(SOMEBODY_WAITS), bool)
        await shop.sub_run(number).signal("try_again")
    assert await confirming == Answer(status=Status.COMPLETED)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_nobody_is_asked_to_decide_on_an_order_that_a_lost_try_has_closed(shop: Shop) -> None:
    """Its review escalates all the same; no mark stays, and no second alarm goes out."""
    terms = {**FAR, "review_window_s": 5}
    order_no = await shop.place([await shop.sku()], await suspicious(shop), **terms)
    await shop.when(order_no, lambda view: bool(view.attention))
    await shop.book.close_order(CloseOrder(order_no=order_no, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW))
    await asyncio.sleep(7)
    assert (await shop.show(order_no)).attention == []
    alarms = await shop.sql("SELECT 1 FROM outbox WHERE topic = 'alarm' AND body->>'order_no' = :no", no=order_no)
    assert len(alarms) == 1
    await shop.cancel(order_no)
    assert (await shop.ended(order_no)).close_reason is CloseReason.CANCELLED_BY_BUYER


async def test_an_order_that_a_lost_try_has_closed_is_not_split(shop: Shop) -> None:
    """The approval comes after the lost cancel: goods and money go back all the same."""
    sku = await shop.sku()
    order_no = await in_review(shop, sku)
    await shop.book.close_order(CloseOrder(order_no=order_no, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW))
    await approve(shop, order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
    again = await shop.book.record_split(RecordSplit(order_no=order_no, plan=[], at=NOW))
    assert again.closed is CloseReason.CANCELLED_BY_BUYER
