"""Operators at the Temporal UI: they terminate, reset and cancel runs, press "try again", and run the audit."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from runtime.audit import audit_now
from runtime.settings import Settings
from workflows.stock_audit import StartAudit

NEEDS_A_PERSON = 'ExecutionStatus = "Running" AND NeedsAttention = true'
GRACE_S = 2
_PATIENCE = 60  # tries


class Operators:
    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self.did: Counter[str] = Counter()

    async def operate(self, what: str, order_no: str, sub_orders: list[str]) -> None:
        order = self._client.get_workflow_handle(f"order/{order_no}")
        parts = [self._client.get_workflow_handle(f"sub-order/{number}") for number in sub_orders]
        match what:
            case "terminate order":  # and do no more: the audit finds it
                await self._do(what, lambda: order.terminate("chaos"))
            case "terminate and reset order":
                if await self._do("terminate order", lambda: order.terminate("chaos")):
                    await asyncio.sleep(0.5)
                    await self._do("reset order", lambda: self._reset(order))
            case "reset order":
                await self._do(what, lambda: self._reset(order))
            case "cancel order run":
                await self._do(what, order.cancel)
            case "terminate sub-order" if parts:
                await self._do(what, lambda: parts[0].terminate("chaos"))
            case "cancel sub-order run" if parts:
                await self._do(what, parts[0].cancel)
            case "reset order, terminate sub-order" if parts:
                if await self._do("reset order", lambda: self._reset(order)):
                    await self._do("terminate sub-order", lambda: parts[0].terminate("chaos"))

    async def keep_pressing(self, every_s: float) -> None:
        """Press "try again" on every run that needs a person, again and again until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            # A run has just ended, or the server is away: it is pressed again later.
            with contextlib.suppress(RPCError):
                async for run in self._client.list_workflows(NEEDS_A_PERSON):
                    await self._client.get_workflow_handle(run.id).signal("try_again")

    async def keep_auditing(self, every_s: float) -> None:
        """Run the audit again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            with contextlib.suppress(RPCError):
                await self.audit()

    async def audit(self) -> None:
        """Run the audit as `starter.py audit` does."""
        await audit_now(self._client, self._settings, StartAudit(grace_s=GRACE_S))
        self.did["audit"] += 1

    async def _do(self, what: str, act: Callable[[], Awaitable[None]]) -> bool:
        """Act, and insist while the server is away. Returns False when there is no such run, or not any more."""
        for _ in range(_PATIENCE):
            try:
                await act()
            except RPCError as error:
                if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                    return False
                if error.status is RPCStatusCode.INVALID_ARGUMENT:
                    return False
                await asyncio.sleep(0.3)
            else:
                self.did[what] += 1
                return True
        return False

    async def _reset(self, run: WorkflowHandle[object, object]) -> None:
        """Reset a run to its first workflow task; the messages that came since are applied again."""
        described = await run.describe()
        async for event in run.fetch_history_events():
            if event.HasField("workflow_task_completed_event_attributes"):
                await self._client.workflow_service.reset_workflow_execution(
                    ResetWorkflowExecutionRequest(
                        namespace=self._client.namespace,
                        workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=described.run_id),
                        reason="chaos",
                        workflow_task_finish_event_id=event.event_id,
                        request_id=uuid.uuid4().hex,
                    )
                )
                return
        raise RPCError("no workflow task is completed yet", RPCStatusCode.UNAVAILABLE, b"")
