"""The floor of a whole order: bare workflows of the same shape, in which every step is empty.

They have as many runs, local and other activities, updates, signals and timers as story 1, in the same places, and no
details, rules or database. With `shows`, each run has its status as a search attribute, which changes as often as story
1 changes what it shows; without, it has none.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from domain.order.status import Status
from workflows import run_names

QUEUE = "bench-floor"
_STEP: dict[str, Any] = {"start_to_close_timeout": timedelta(seconds=8)}
_LONG = timedelta(minutes=30)


def order_run(number: int) -> str:
    return f"floor/{number}"


def part_run(number: int, part: int) -> str:
    return f"floor/{number}/{part}"


def shown_from_start(shows: bool, status: Status) -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(run_names.ORDER_STATUS, status.value)] if shows else [])


def show(shows: bool, status: Status) -> None:
    if shows:
        workflow.upsert_search_attributes([run_names.ORDER_STATUS.value_set(status.value)])


@activity.defn
async def nothing() -> None:
    """The activity of every step, which does nothing."""


async def local_steps(count: int) -> None:
    for _ in range(count):
        await workflow.execute_local_activity(nothing, **_STEP)


async def regular_step() -> None:
    await workflow.execute_activity(nothing, **_STEP)


@workflow.defn(name="FloorOrder")
class FloorOrder:
    @workflow.init
    def __init__(self, number: int, parts: int, shows: bool) -> None:
        self._parts = parts
        self._shows = shows
        self._shipped = 0
        self._answered = False
        self._paid = False
        self._handed_out = False

    @workflow.run
    async def run(self, number: int, parts: int, shows: bool) -> None:
        await local_steps(5)  # look up, screen, price, take stock, record
        show(shows, Status.PENDING_PAYMENT)
        assessed = asyncio.create_task(regular_step())
        opened = asyncio.create_task(self._open())
        await workflow.wait_condition(lambda: self._paid, timeout=_LONG)
        await assessed
        await opened
        await local_steps(2)  # deduct, split
        show(shows, Status.AWAITING_SHIPMENT)
        children = [await self._start(number, part) for part in range(1, parts + 1)]
        self._handed_out = True
        await asyncio.gather(*children)
        await workflow.wait_condition(workflow.all_handlers_finished)
        show(shows, Status.COMPLETED)

    async def _start(self, number: int, part: int) -> ChildWorkflowHandle[Any, None]:
        return await workflow.start_child_workflow(
            FloorPart.run,
            args=[number, self._shows],
            id=part_run(number, part),
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=shown_from_start(self._shows, Status.AWAITING_SHIPMENT),
        )

    async def _open(self) -> None:
        await regular_step()
        self._answered = True

    @workflow.update
    async def place(self) -> None:
        await workflow.wait_condition(lambda: self._answered)

    @workflow.update
    async def receive_payment(self) -> None:
        await local_steps(1)
        self._paid = True
        await workflow.wait_condition(lambda: self._handed_out)  # so that its caller knows that the parts are there

    @workflow.signal
    def news(self) -> None:
        """Take the news that a part has shipped."""
        self._shipped += 1
        show(self._shows, Status.SHIPPED if self._shipped == self._parts else Status.PARTIALLY_SHIPPED)


@workflow.defn(name="FloorPart")
class FloorPart:
    @workflow.init
    def __init__(self, number: int, shows: bool) -> None:
        self._number = number
        self._shows = shows
        self._with_merchant = False
        self._shipped = False
        self._delivered = False
        self._received = False

    @workflow.run
    async def run(self, number: int, shows: bool) -> None:
        sending = asyncio.create_task(self._hand_over())
        await workflow.wait_condition(lambda: self._shipped, timeout=_LONG)
        told = asyncio.create_task(self._tell())
        await workflow.wait_condition(lambda: self._delivered, timeout=_LONG)
        await workflow.wait_condition(lambda: self._received, timeout=_LONG)
        await asyncio.gather(sending, told)
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _hand_over(self) -> None:
        await regular_step()
        self._with_merchant = True

    async def _tell(self) -> None:
        await workflow.get_external_workflow_handle(order_run(self._number)).signal(FloorOrder.news)

    @workflow.update
    async def ship(self) -> None:
        await workflow.wait_condition(lambda: self._with_merchant)
        await local_steps(1)
        self._shipped = True
        show(self._shows, Status.SHIPPED)

    @workflow.update
    async def deliver(self) -> None:
        await local_steps(1)
        self._delivered = True

    @workflow.update
    async def confirm(self) -> None:
        await local_steps(1)
        self._received = True
        show(self._shows, Status.COMPLETED)
