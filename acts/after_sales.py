"""After-sale: a buyer's request becomes a case with a run of its own; what parties do is an update to that run."""

import contextlib
import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.after_sale import CaseOf
from acts.checkout import Unavailable
from domain.after_sale.case import (
    AskAfterSale,
    CaseAction,
    CaseAnswer,
    CaseRefused,
    CaseStatus,
    StartAfterSale,
    case_refusal,
)
from domain.order.order_number import parse
from domain.order.status import Actor
from store.after_sale.cases import PostgresAfterSales
from workflows import run_names
from workflows.after_sale import AfterSale

WAIT = timedelta(seconds=8)
_WAS_REFUSED = "it was refused when it was asked for; ask again under a new key"
_ASK = "request"


class NoSuchCase(Exception):
    """Raised when there is no such case, or not for this party: the two look the same."""


class AfterSales:
    """Each returns a CaseAnswer: the case as it is, or why not. Raises Unavailable when no worker answers; the act
    may then still happen, and asking again does no harm. A run that was terminated is started again by whatever is
    done to its case, and finds how far it has come."""

    def __init__(self, client: Client, cases: PostgresAfterSales, task_queue: str, task_timeout_s: int = 10) -> None:
        self._client = client
        self._cases = cases
        self._task_queue = task_queue
        self._task_timeout = timedelta(seconds=task_timeout_s)

    async def ask(self, caller: str, key: str, sub_order_no: str, ask: AskAfterSale) -> CaseAnswer:
        """Open a case. Idempotency key: `(caller, key)`, for ever; a refusal leaves the key free as long as no run had
        to decide.

        Raises store.database.keys.KeyReused for another request under the same key."""
        body = body_of(sub_order_no, ask)
        case_no = await self._cases.minted(caller, key, body)
        if case_no is None:
            refused = await self._cases.would_refuse(sub_order_no, ask, datetime.now(UTC))
            if refused is not None:
                return CaseAnswer(refused=refused)
            case_no = await self._cases.mint(caller, key, body, sub_order_no)
        start = StartAfterSale(case_no=case_no, sub_order_no=sub_order_no, ask=ask)
        answer = await self._try(start, _ASK, None, _ASK)
        if answer is not None:
            return answer
        found = await self._cases.look_up_case(CaseOf(case_no=case_no))
        refusal = CaseRefused(status=None, action=None, reason=_WAS_REFUSED)
        return found if found.facts is not None else CaseAnswer(refused=refusal)

    async def act(
        self, case_no: str, action: CaseAction, told: object, actor: Actor, key: str | None = None
    ) -> CaseAnswer:
        """Do a party's act on a case; `told` is the act's document. Raises NoSuchCase."""
        start = await self._cases.start_of(case_no)
        if start is None:
            raise NoSuchCase
        update_id = key or str(uuid.uuid4())
        answer = await self._try(start, action.value.lower(), told, update_id)
        if answer is not None:
            return answer
        before = await self._cases.answered(case_no, update_id)
        if before is not None:
            return before
        found = await self._cases.look_up_case(CaseOf(case_no=case_no))
        assert found.facts is not None
        return CaseAnswer(facts=found.facts, refused=case_refusal(found.facts.status, action, actor))

    async def keep(self, start: StartAfterSale) -> None:
        """Start a case's run, unless it is there."""
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await self._client.start_workflow(
                AfterSale.run, start, id=run_names.after_sale_id(start.case_no), **self._options(start)
            )

    async def _try(self, start: StartAfterSale, update: str, told: object, update_id: str) -> CaseAnswer | None:
        """The answer of the case's run; None when it has ended."""
        operation = self._operation(start)
        try:
            answer: CaseAnswer = await self._client.execute_update_with_start_workflow(
                update,
                *([told] if told is not None else []),
                start_workflow_operation=operation,
                id=update_id,
                result_type=CaseAnswer,
                rpc_timeout=WAIT,
            )
            return answer
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            await _hear_out(operation)
            raise Unavailable("no worker answers; ask again, nothing is done twice") from error
        except WorkflowAlreadyStartedError:
            await _hear_out(operation)
            return None
        except WorkflowUpdateFailedError as error:
            await _hear_out(operation)
            raise Unavailable(f"the run could not take it: {error.cause}; ask again") from error
        except RPCError as error:
            await _hear_out(operation)
            raise Unavailable(f"Temporal does not answer: {error.status.name}") from error

    def _operation(self, start: StartAfterSale) -> WithStartWorkflowOperation[AfterSale, object]:
        run = run_names.after_sale_id(start.case_no)
        return WithStartWorkflowOperation(AfterSale.run, start, id=run, **self._options(start))

    def _options(self, start: StartAfterSale) -> dict[str, Any]:
        return {
            "task_queue": self._task_queue,
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            # Not after it has ended; but after it was terminated.
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            "task_timeout": self._task_timeout,
            "static_summary": f"{start.ask.kind} of sub-order {start.sub_order_no}",
            "search_attributes": TypedSearchAttributes(
                [
                    SearchAttributePair(run_names.ORDER_NO, parse(start.sub_order_no).order_no),
                    SearchAttributePair(run_names.ORDER_STATUS, CaseStatus.REQUESTED.value),
                ]
            ),
        }


def body_of(sub_order_no: str, ask: AskAfterSale) -> str:
    """A digest of the request, kept beside its key: the same key with another request is refused."""
    return hashlib.sha256(f"{sub_order_no} {ask.model_dump_json()}".encode()).hexdigest()


async def _hear_out(start: WithStartWorkflowOperation[AfterSale, object]) -> None:
    """The SDK leaves the same error on the operation too; unheard, asyncio prints it with a traceback."""
    with contextlib.suppress(Exception):
        await start.workflow_handle()
