"""What breaks for longer than a round of retries is waited out: visible, alarmed, and healed by itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowExecutionStatus

from activities.payment import StrayCapture
from acts.relays import InboxRelay, StrayKeeper
from domain.order.status import CloseReason, Status
from runtime.wiring import open_activities
from store.money.inbox import PostgresInbox
from tests.support.endings import closed_and_given_back
from tests.support.shop import Shop, until
from tests.support.stories import FAR, attribute, paid, suspicious
from workflows import run_names


@asynccontextmanager
async def without(shop: Shop, table: str) -> AsyncIterator[None]:
    """The database lacks a table: every step that needs it fails, as fast as it is tried."""
    await shop.sql(f"ALTER TABLE {table} RENAME TO {table}_gone")
    try:
        yield
    finally:
        await shop.sql(f"ALTER TABLE {table}_gone RENAME TO {table}")


LONGER_THAN_A_ROUND_S = 2.5


@pytest.mark.parametrize("table", ["products", "stock_operations", "order_operations", "order_events"])
async def test_placing_waits_until_the_database_is_well_again(shop: Shop, table: str) -> None:
    sku = await shop.sku()
    async with without(shop, table):
        placing = asyncio.create_task(shop.place([sku], **FAR))
        await asyncio.sleep(LONGER_THAN_A_ROUND_S)
        assert not placing.done()
    order_no = await placing
    await shop.cancel(order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


@pytest.mark.parametrize("table", ["captures", "stock", "sub_order_lines"])
async def test_a_paid_order_waits_at_the_pivot_until_the_database_is_well_again(shop: Shop, table: str) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    async with without(shop, table):
        await shop.pay(order_no)
        described = await until(
            shop.run(order_no).describe, lambda run: attribute(run, run_names.NEEDS_ATTENTION) is True
        )
        assert described.status is not None and described.status.name == "RUNNING"
    (number,) = await shop.split(order_no)
    await until(shop.run(order_no).describe, lambda run: attribute(run, run_names.NEEDS_ATTENTION) is False)
    assert (await shop.show(order_no)).attention == []
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


@pytest.mark.parametrize("table", ["attentions", "stock_operations"])
async def test_a_cancelled_order_gives_everything_back_once_the_database_is_well_again(shop: Shop, table: str) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku])
    await paid(shop, order_no)
    async with without(shop, table):
        cancelling = asyncio.create_task(shop.cancel(order_no))
        await asyncio.sleep(LONGER_THAN_A_ROUND_S)
    assert (await cancelling).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_a_refused_refund_waits_for_a_person_and_goes_on_when_the_operator_says_so(shop: Shop) -> None:
    """Edge case 11 beside it: the provider has moved the money once."""
    sku = await shop.sku()
    order_no = await shop.place([sku])
    await paid(shop, order_no)
    await shop.bad_days(refund_refuses=True)
    answer = await shop.cancel(order_no)
    assert (answer.refused, answer.status) == (None, Status.CLOSED), "told at once, though the refund hangs"
    view = await shop.when(order_no, lambda view: bool(view.attention))
    assert view.attention[0].topic == "refund"
    await shop.bad_days()
    await shop.run(order_no).signal("try_again")
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_a_refund_that_times_out_but_was_done_is_not_made_twice(shop: Shop) -> None:
    """Edge case 11."""
    sku = await shop.sku()
    order_no = await shop.place([sku])
    await paid(shop, order_no)
    await shop.bad_days(refund_times_out=True)
    await shop.cancel(order_no)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
    assert len((await shop.show(order_no)).refunds) == 1


async def test_a_message_that_comes_while_a_refund_hangs_is_still_answered(shop: Shop) -> None:
    """The run must not end under an update that it has accepted."""
    order_no = await shop.place([await shop.sku()])
    await paid(shop, order_no)
    await shop.bad_days(refund_refuses=True)
    await shop.run(order_no).cancel()
    await shop.when_status(order_no, Status.CLOSED)
    again = asyncio.create_task(shop.cancel(order_no))
    await shop.bad_days()
    await shop.run(order_no).signal("try_again")
    assert (await again).status is Status.CLOSED
    assert (await shop.ended(order_no)).status is Status.CLOSED


async def test_an_order_that_is_received_meanwhile_does_not_end_under_a_cancel_that_it_has_accepted(shop: Shop) -> None:
    """The books hold the cancel up; the clock receives the parcel; then the cancel has its answer."""
    order_no = await shop.place([await shop.sku()], receipt_window_s=1)
    await shop.pay(order_no)
    (part,) = await shop.split(order_no)
    async with shop.engine.connect() as db:
        key = {"key": f"{order_no}/cancel"}
        await db.execute(text("INSERT INTO order_operations (key) VALUES (:key)"), key)  # and does not commit
        cancelling = asyncio.create_task(shop.cancel(order_no))
        await shop.ship(part)
        await shop.deliver(part)
        await shop.when_status(order_no, Status.COMPLETED)
        await asyncio.sleep(0.5)
        await db.rollback()
    refused = (await cancelling).refused
    assert refused is not None and "shipped" in refused.reason
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_stray_money_that_can_not_go_back_raises_an_alarm_also_for_an_unknown_order(shop: Shop) -> None:
    await shop.bad_days(refund_refuses=True)
    await shop.pay("nobodys-order", amount_fen=5, force=True)
    await until(
        lambda: shop.sql("SELECT 1 FROM outbox WHERE topic = 'alarm' AND body->>'order_no' = 'nobodys-order'"),
        lambda rows: len(rows) == 1,
    )


@pytest.mark.parametrize("lost", ["while the provider refuses", "before it was filed"])
async def test_money_whose_run_was_terminated_goes_back_all_the_same(shop: Shop, lost: str) -> None:
    """Nobody's order would ever ask for it."""
    payment_id, inbox = f"nobodys-{uuid.uuid4().hex}", PostgresInbox(shop.engine)
    async with open_activities(shop.settings, shop.engine, shop.client) as performed:
        relay = InboxRelay(shop.client, inbox, performed.audit, shop.settings.task_queue)
    keeper = StrayKeeper(inbox, relay, overdue=timedelta(0))
    async with nothing_goes_back(shop, lost):
        await shop.pay(payment_id, amount_fen=7, force=True)
        (stray,) = await until(lambda: mine(inbox, payment_id), bool)
        run = shop.client.get_workflow_handle(run_names.stray_payment_id(stray.capture.capture_id))
        await until(run.describe, lambda described: attribute(described, run_names.NEEDS_ATTENTION) is True)
        await run.terminate("by mistake")
    assert await mine(inbox, payment_id) == [stray]
    await keeper.look()
    await until(lambda: mine(inbox, payment_id), lambda left: left == [])
    assert await shop.provider_kept(payment_id) == 0
    assert await shop.money(payment_id) == {}
    await run.result()
    await keeper.look()
    assert (await run.describe()).status is WorkflowExecutionStatus.COMPLETED


@asynccontextmanager
async def nothing_goes_back(shop: Shop, lost: str) -> AsyncIterator[None]:
    if lost == "before it was filed":
        async with without(shop, "journal_postings"):
            yield
    else:
        await shop.bad_days(refund_refuses=True)
        yield
        await shop.bad_days()


async def mine(inbox: PostgresInbox, payment_id: str) -> list[StrayCapture]:
    return [stray for stray in await inbox.not_back(timedelta(0), 1_000) if stray.capture.payment_id == payment_id]


async def test_a_paid_order_in_review_shows_as_paid(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()], await suspicious(shop), **FAR)
    await shop.when(order_no, lambda view: bool(view.attention))
    await shop.pay(order_no)
    await until(
        shop.run(order_no).describe, lambda run: attribute(run, run_names.ORDER_STATUS) == Status.AWAITING_SHIPMENT
    )
    await shop.cancel(order_no)


async def test_a_cancel_button_that_is_refused_leaves_no_alarm_behind(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()])
    (number,) = await paid(shop, order_no)
    await shop.ship(number)
    await shop.run(order_no).cancel()
    await asyncio.sleep(1)
    assert not attribute(await shop.run(order_no).describe(), run_names.NEEDS_ATTENTION)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
