"""Checkout: the caller's key becomes an order number, the number a run, and the run's answer the caller's."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain.base import Message
from domain.cart import Cart, StartOrder, Terms
from domain.checkout import Limits, within_limits
from domain.order import Placement, Refusal
from gateway.order_runs import start_options
from store.checkout import PostgresCheckoutKeys
from workflows.order import Order


class TooLarge(Exception):
    """The cart breaks a limit. Nothing was started, and the key is still free."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Unavailable(Exception):
    """Temporal does not answer. Ask again under the same key: nothing is done twice."""


class Accepted(Message):
    """The order is started, but no worker has answered yet. Ask again under the same key."""

    order_no: str


class CheckoutSettings(Message):
    """`wait_s`: how long the caller waits for the answer before it is told to ask again."""

    task_queue: str
    terms: Terms
    limits: Limits
    task_timeout_s: int = 10
    wait_s: float = 8.0


class Checkout:
    """Step 0 and 1 of the order's story. The caller never writes the order's row; the run does."""

    def __init__(self, client: Client, keys: PostgresCheckoutKeys, settings: CheckoutSettings) -> None:
        self._client = client
        self._keys = keys
        self._settings = settings

    async def place(self, caller: str, key: str, cart: Cart) -> Placement | Accepted:
        """Place an order. Key: `(caller, key)`, for ever; the same key and body give the same answer.

        Raises TooLarge, store.checkout.KeyReused and Unavailable."""
        too_large = within_limits(cart, self._settings.limits)
        if too_large is not None:
            raise TooLarge(too_large)
        body = hashlib.sha256(cart.model_dump_json().encode()).hexdigest()
        today = datetime.now(UTC).date()
        order_no = await self._keys.mint(caller, key, body, cart.buyer_id, today)
        answered = await self._keys.answered(order_no)
        return answered or await self._start(caller, order_no, cart)

    async def _start(self, caller: str, order_no: str, cart: Cart) -> Placement | Accepted:
        start = self._operation(caller, order_no, cart)
        try:
            placement: Placement = await self._client.execute_update_with_start_workflow(
                "place",
                start_workflow_operation=start,
                id="place",
                result_type=Placement,
                rpc_timeout=timedelta(seconds=self._settings.wait_s),
            )
            return placement
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await _hear_out(start)
            return Accepted(order_no=order_no)
        except (WorkflowAlreadyStartedError, WorkflowUpdateFailedError):
            await _hear_out(start)
            # It ended between our look and our call: then its answer is written.
            return await self._keys.answered(order_no) or Accepted(order_no=order_no)
        except RPCError as error:
            await _hear_out(start)
            raise Unavailable(f"Temporal does not answer: {error.status.name}") from error

    def _operation(self, caller: str, order_no: str, cart: Cart) -> WithStartWorkflowOperation[Order, object]:
        start = StartOrder(order_no=order_no, caller=caller, cart=cart, terms=self._settings.terms)
        return WithStartWorkflowOperation(
            Order.run,
            start,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            **start_options(start, self._settings.task_queue, self._settings.task_timeout_s),
        )


async def _hear_out(start: WithStartWorkflowOperation[Order, object]) -> None:
    """The SDK leaves the same error on the operation too; unheard, asyncio prints it with a traceback."""
    with contextlib.suppress(Exception):
        await start.workflow_handle()
