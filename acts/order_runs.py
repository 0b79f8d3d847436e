"""The runs of orders in Temporal: how one is started, whether it is open, what it was started with."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.order.cart import StartOrder
from domain.order.status import Status
from domain.records.audit import NO_RUN
from workflows import run_names
from workflows.order import Order

AT_ONCE = 10  # calls to Temporal
_GONE = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)


def start_options(start: StartOrder, task_queue: str, task_timeout_s: int) -> dict[str, Any]:
    """The options that every run of an order is started with: id, task queue, summary and search attributes."""
    buyer_id = start.cart.buyer_id
    return {
        "id": run_names.order_id(start.order_no),
        "task_queue": task_queue,
        "task_timeout": timedelta(seconds=task_timeout_s),
        "static_summary": f"order {start.order_no} of buyer {buyer_id}",
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(run_names.ORDER_NO, start.order_no),
                SearchAttributePair(run_names.BUYER_ID, str(buyer_id)),
                SearchAttributePair(run_names.ORDER_STATUS, Status.PENDING_PAYMENT.value),
            ]
        ),
    }


class TemporalOrderRuns:
    """Implements `activities.audit.OrderRuns`."""

    def __init__(self, client: Client, task_queue: str, task_timeout_s: int) -> None:
        self._client = client
        self._task_queue = task_queue
        self._task_timeout_s = task_timeout_s

    async def closed(self, orders: Collection[str], sub_orders: Collection[str]) -> dict[str, str]:
        """The list of open runs is one call for all of them, though a moment old. Whoever is not on it is asked for
        by itself, and that answer counts."""
        ids = {run_names.order_id(number): number for number in orders}
        ids |= {run_names.sub_order_id(number): number for number in sub_orders}
        if not ids:
            return {}
        names = ", ".join(f"'{name}'" for name in ids)
        query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({names})"
        listed = {run.id async for run in self._client.list_workflows(query)}
        places = asyncio.Semaphore(AT_ONCE)

        async def ended(name: str) -> str | None:
            async with places:
                return await self._ended(name)

        unlisted = [name for name in ids if name not in listed]
        ends = await asyncio.gather(*(ended(name) for name in unlisted))
        return {ids[name]: how for name, how in zip(unlisted, ends, strict=True) if how is not None}

    async def _ended(self, name: str) -> str | None:
        """How an order's latest run ended; None when it is open."""
        try:
            described = await self._client.get_workflow_handle(name).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return NO_RUN
        status = described.status
        return None if status in (None, WorkflowExecutionStatus.RUNNING) else status.name

    async def start_input(self, order_no: str) -> StartOrder | None:
        run = self._client.get_workflow_handle(run_names.order_id(order_no))
        try:
            async for event in run.fetch_history_events(page_size=1):
                payloads = event.workflow_execution_started_event_attributes.input.payloads
                (start,) = await self._client.data_converter.decode(payloads, [StartOrder])
                assert isinstance(start, StartOrder)
                return start
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return None

    async def start_again(self, start: StartOrder) -> bool:
        try:
            await self._client.start_workflow(
                Order.run,
                start,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                # Unlike at checkout: the run of before was cut short, and this one goes on from the database.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                **start_options(start, self._task_queue, self._task_timeout_s),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def nudge(self, order_no: str) -> None:
        try:
            await self._client.get_workflow_handle(run_names.order_id(order_no)).signal("try_again")
        except RPCError as error:
            if error.status not in _GONE:
                raise
