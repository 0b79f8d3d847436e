"""Stories 1 to 4 of the order saga, each to its endings."""

import asyncio

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

from domain.order.status import Actor
from domain.risk import BlockKind
from tests.replay.stage import FAR, Stage, story
from tests.support.shop import Person, until

# --- 1: paid, shipped, delivered, received


@story()
async def completed_by_buyer_and_by_clock(on: Stage) -> None:
    order_no, (first, second) = await on.paid("m1", "m1", "m2", receipt_window_s=1)
    await on.received(first)
    await on.shop.ship(second)
    await on.shop.deliver(second)
    await on.shop.ended(order_no)


@story()
async def completed_by_buyer(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await on.shop.ship(number)
    await on.shop.deliver(number)
    await on.shop.confirm(number)
    await on.shop.ended(order_no)


@story()
async def long_under_way_then_delivered(on: Stage) -> None:
    order_no, (number,) = await on.paid(transit_window_s=1)
    await on.shop.ship(number)
    await on.needs_person(order_no, "transit")
    await on.shop.deliver(number)
    await on.shop.confirm(number)
    await on.shop.ended(order_no)


@story()
async def pieces_cancelled_then_the_rest_received(on: Stage) -> None:
    """Of a parcel whose goods lie in a warehouse of ours: one piece goes back on its shelf."""
    order_no, number = await in_a_warehouse(on)
    assert (await on.shop.cancel_pieces(number, {1: 1})).refused is None
    await on.received(number)
    await on.shop.ended(order_no)


@story()
async def all_pieces_cancelled(on: Stage) -> None:
    order_no, number = await in_a_warehouse(on)
    assert (await on.shop.cancel_pieces(number, {1: 1})).refused is None
    assert (await on.shop.cancel_pieces(number, {1: 2})).refused is None
    await on.shop.ended(order_no)


async def in_a_warehouse(on: Stage) -> tuple[str, str]:
    """Three pieces, paid: the order and its one sub-order."""
    sku = await on.shop.sku(merchant="m-stocked")
    await on.shop.shelve("m-stocked", sku, 5)
    order_no = await on.shop.place([sku], quantity=3)
    on.about.append(order_no)
    await on.shop.pay(order_no)
    (number,) = await on.shop.split(order_no)
    return order_no, number


@story()
async def terminated_sub_order_starts_again(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await on.shop.ship(number)
    await on.shop.sub_run(number).terminate("by mistake")
    run = on.shop.sub_run(number)
    await until(run.describe, lambda run: run.status is WorkflowExecutionStatus.RUNNING)
    assert (await on.shop.confirm(number)).refused is None
    await on.shop.ended(order_no)


@story()
async def order_reset_to_before_its_split(on: Stage) -> None:
    """An operator resets the order's run: the sub-order's run of before is still there, and has no parent now."""
    order_no, (number,) = await on.paid()
    run = on.shop.run(order_no)
    reset = ResetWorkflowExecutionRequest(
        namespace=on.shop.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=(await run.describe()).run_id),
        workflow_task_finish_event_id=await before_the_split(on, order_no),
        reason="for the recording",
        request_id=order_no,
    )
    await on.shop.client.workflow_service.reset_workflow_execution(reset)
    await on.received(number)
    await on.shop.ended(order_no)


async def before_the_split(on: Stage, order_no: str) -> int:
    """The task that started the sub-orders' runs."""
    task = 0
    async for event in on.shop.run(order_no).fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            task = event.event_id
        if event.HasField("start_child_workflow_execution_initiated_event_attributes"):
            break
    return task


# --- 2, 3: never paid; cancelled, or not


@story()
async def unpaid(on: Stage) -> None:
    await on.shop.ended(await on.order(payment_window_s=1))


async def cancelled_unpaid(on: Stage, actor: Actor) -> None:
    order_no = await on.order(**FAR)
    assert (await on.shop.cancel(order_no, actor)).refused is None
    await on.shop.ended(order_no)


@story()
async def cancelled_by_buyer_before_paying(on: Stage) -> None:
    await cancelled_unpaid(on, Actor.BUYER)


@story()
async def cancelled_by_platform_before_paying(on: Stage) -> None:
    await cancelled_unpaid(on, Actor.PLATFORM)


@story()
async def cancelled_by_buyer_after_paying(on: Stage) -> None:
    order_no, _ = await on.paid("m1", "m2")
    assert (await on.shop.cancel(order_no)).refused is None
    await on.shop.ended(order_no)


@story()
async def sub_order_cancelled_by_buyer_the_other_completed(on: Stage) -> None:
    order_no, (first, second) = await on.paid("m1", "m2")
    assert (await on.shop.cancel(first)).refused is None
    await on.received(second)
    await on.shop.ended(order_no)


@story()
async def every_sub_order_cancelled_by_its_merchant(on: Stage) -> None:
    order_no, numbers = await on.paid("m1", "m2")
    for number in numbers:
        assert (await on.shop.cancel(number, Actor.MERCHANT)).refused is None
    await on.shop.ended(order_no)


@story()
async def sub_order_cancelled_by_platform(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    assert (await on.shop.cancel(number, Actor.PLATFORM)).refused is None
    await on.shop.ended(order_no)


@story()
async def cancel_refused_after_shipping(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await on.shop.ship(number)
    assert (await on.shop.cancel(order_no)).refused is not None
    assert (await on.shop.cancel(number)).refused is not None
    await on.shop.confirm(number)
    await on.shop.ended(order_no)


@story()
async def native_cancel_before_paying(on: Stage) -> None:
    order_no = await on.order(**FAR)
    await on.shop.run(order_no).cancel()
    await on.shop.run(order_no).cancel()
    await on.shop.ended(order_no)


@story()
async def native_cancel_after_paying(on: Stage) -> None:
    order_no, _ = await on.paid()
    await on.shop.run(order_no).cancel()
    await on.shop.ended(order_no)


@story()
async def native_cancel_of_a_sub_order(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await on.shop.sub_run(number).cancel()
    await on.shop.ended(order_no)


@story()
async def native_cancel_refused_after_shipping(on: Stage) -> None:
    order_no, (number,) = await on.paid()
    await on.shop.ship(number)
    for run in (on.shop.run(order_no), on.shop.sub_run(number)):
        await run.cancel()
    await asyncio.sleep(0.5)
    await on.shop.confirm(number)
    await on.shop.ended(order_no)


# --- 4: refused at placement


@story()
async def refused_blocked(on: Stage) -> None:
    person = Person()
    await on.shop.block(BlockKind.DEVICE, person.device_id)
    await on.refused(await on.shop.sku(), person=person)


@story()
async def refused_out_of_stock(on: Stage) -> None:
    await on.refused(await on.shop.sku(), await on.shop.sku(pieces=0), expected_fen=2000)


@story()
async def refused_price_changed(on: Stage) -> None:
    await on.refused(await on.shop.sku(), expected_fen=999)


@story()
async def refused_unknown_sku(on: Stage) -> None:
    await on.refused("no-such-sku")


@story()
async def refused_too_dear(on: Stage) -> None:
    most = on.shop.settings.amount_per_order_fen
    await on.refused(await on.shop.sku(price_fen=most + 1), expected_fen=most + 1)
