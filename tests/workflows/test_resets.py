"""An operator resets an order's run to its first task, at every stage: it never takes a step back.

Steps run again under another run id; the keys and the database say what has happened already.
"""

import asyncio
import uuid

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Replayer

from domain.order.status import CloseReason, Status
from runtime.temporal import DATA_CONVERTER
from runtime.worker import WORKFLOWS
from tests.support.audits import approve
from tests.support.endings import books_balance, closed_and_given_back, no_stray
from tests.support.resets import FORGETTING
from tests.support.sandbox import sandbox
from tests.support.shop import Shop, until
from tests.support.stories import FAR, paid, suspicious


async def reset(shop: Shop, order_no: str, *, forgetting: bool = False) -> None:
    """To the first workflow task. `forgetting`: without the messages that came since."""
    run = shop.run(order_no)
    described = await run.describe()
    first = next(
        [
            event.event_id
            async for event in run.fetch_history_events()
            if event.HasField("workflow_task_completed_event_attributes")
        ].__iter__()
    )
    await shop.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=first,
            request_id=uuid.uuid4().hex,
            **(FORGETTING if forgetting else {}),  # type: ignore[arg-type]
        )
    )


async def test_an_unpaid_order_that_is_reset_still_waits_for_its_payment(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    before = await shop.show(order_no)
    await reset(shop, order_no)
    await shop.pay(order_no)
    (number,) = await shop.split(order_no)
    view = await shop.show(order_no)
    assert (view.pay_by, view.payment_link) == (before.pay_by, before.payment_link)
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert await shop.level(sku) == {"sellable_total": 10, "available": 9, "reserved": 0, "deducted": 1}


@pytest.mark.parametrize("forgetting", [False, True])
async def test_a_split_order_that_is_reset_goes_on_and_ends(shop: Shop, forgetting: bool) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=5)
    (number,) = await paid(shop, order_no)
    await reset(shop, order_no, forgetting=forgetting)
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no, 60)).status is Status.COMPLETED
    await books_balance(shop, order_no)
    assert (await shop.show(order_no)).attention == []


async def test_a_split_order_that_is_reset_hears_at_once_when_a_sub_order_ends(shop: Shop) -> None:
    """Their runs are not its children any more. It looks again ever more seldom, up to an hour."""
    order_no = await shop.place([await shop.sku()])
    (number,) = await paid(shop, order_no)
    await shop.ship(number)
    await reset(shop, order_no)
    await asyncio.sleep(8)  # it has looked twice, and pauses for 15 s
    await shop.confirm(number)
    assert (await shop.ended(order_no, 6)).status is Status.COMPLETED


async def test_what_a_reset_applies_again_can_be_replayed(shop: Shop) -> None:
    """Signals and updates come in another order to a worker that replays them than to the one that had them first."""
    order_no = await shop.place([await shop.sku(), await shop.sku(merchant="m2")])
    first, second = await paid(shop, order_no)
    await shop.ship(first)
    await until(lambda: news_of(shop, order_no), bool)
    await reset(shop, order_no)
    await until(lambda: news_of(shop, order_no), bool)
    await shop.ship(second)
    await shop.confirm(first)
    await shop.confirm(second)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    run = shop.client.get_workflow_handle(shop.run(order_no).id)
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, workflow_runner=sandbox())
    await replayer.replay_workflow(await run.fetch_history())


async def news_of(shop: Shop, order_no: str) -> int:
    """How often its sub-orders have told the run of it that is open."""
    described = await shop.run(order_no).describe()
    run = shop.client.get_workflow_handle(described.id, run_id=described.run_id)
    events = [event async for event in run.fetch_history_events()]
    told = [event for event in events if event.HasField("workflow_execution_signaled_event_attributes")]
    done = [event for event in events if event.HasField("workflow_task_completed_event_attributes")]
    return len(told) if len(done) > 1 else 0


async def test_what_a_person_has_decided_holds_for_a_run_that_starts_over(shop: Shop) -> None:
    """Nobody is asked again, and no clock decides otherwise."""
    order_no = await shop.place([await shop.sku()], await suspicious(shop), **FAR)
    await approve(shop, order_no)
    await until(lambda: shop.show(order_no), lambda view: not view.attention)
    await reset(shop, order_no, forgetting=True)
    await shop.pay(order_no)
    assert await shop.split(order_no)
    assert (await shop.show(order_no)).attention == []


async def test_a_shipped_order_that_is_reset_after_a_refused_cancel_is_not_refunded(shop: Shop) -> None:
    """The reset applies the refused cancel again; it must not find an order that looks unsplit."""
    order_no = await shop.place([await shop.sku()])
    (number,) = await paid(shop, order_no)
    await shop.ship(number)
    assert (await shop.cancel(order_no)).refused is not None
    await reset(shop, order_no)
    assert (await shop.cancel(order_no)).refused is not None
    await shop.confirm(number)
    assert (await shop.ended(order_no, 60)).status is Status.COMPLETED
    assert (await shop.show(order_no)).refunds == []
    await books_balance(shop, order_no)


async def test_a_closed_and_refunded_order_that_is_reset_is_not_sold_again(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.pay(order_no)
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    assert (await shop.cancel(order_no)).refused is None
    await shop.ended(order_no)
    await reset(shop, order_no, forgetting=True)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
    assert (await shop.show(order_no)).sub_orders == []
    assert len((await shop.show(order_no)).refunds) == 1


async def test_money_for_a_closed_order_that_was_reset_goes_back(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    await shop.cancel(order_no)
    await shop.ended(order_no)
    await reset(shop, order_no, forgetting=True)
    await shop.pay(order_no, force=True)
    await shop.ended(order_no)
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)


async def test_a_refund_that_was_decided_before_a_reset_is_made_after_it(shop: Shop) -> None:
    """Also when the reset forgets the cancel that decided it."""
    sku = await shop.sku()
    order_no = await shop.place([sku])
    await paid(shop, order_no)
    await shop.bad_days(refund_refuses=True)
    assert (await shop.cancel(order_no)).refused is None
    await shop.when(order_no, lambda view: bool(view.refunds))
    await reset(shop, order_no, forgetting=True)
    await shop.bad_days()
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_a_sub_order_that_is_terminated_while_its_refund_hangs_still_pays_back(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku])
    (number,) = await paid(shop, order_no)
    await shop.bad_days(refund_refuses=True)
    assert (await shop.cancel(number)).refused is None
    await shop.when(order_no, lambda view: bool(view.refunds))
    await shop.sub_run(number).terminate("by mistake")
    await shop.bad_days()
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
    assert len((await shop.show(order_no)).refunds) == 1


async def test_a_refused_order_that_is_reset_stays_refused(shop: Shop) -> None:
    sku = await shop.sku(pieces=0)
    cart_of = await shop.ask(shop.cart([sku], await suspicious(shop), expected_fen=1000))
    await shop.ended(cart_of.order_no)
    await shop.stock.receive(sku, 10)
    await reset(shop, cart_of.order_no, forgetting=True)
    assert (await shop.ended(cart_of.order_no)).close_reason is CloseReason.REFUSED
    assert (await shop.level(sku))["available"] == 10


async def test_a_cancel_after_a_reset_reaches_the_sub_orders_of_before(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku])
    (number,) = await paid(shop, order_no)
    await until(lambda: shop.http.get("/merchants/m1/hand-overs"), lambda answer: number in answer.text)
    await reset(shop, order_no)
    assert (await shop.cancel(order_no)).refused is None
    await until(shop.sub_run(number).describe, lambda run: run.status is WorkflowExecutionStatus.COMPLETED)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)
