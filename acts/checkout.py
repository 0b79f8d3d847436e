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
from temporalio.service import RPCError, RPCStatusCode

from activities.stock_party import StockGate
from acts.order_runs import start_options
from acts.turnstile import Crowded, Turnstile
from domain.base import Message
from domain.order.cart import Cart, StartOrder, Terms
from domain.order.lines import Placement, Refusal
from domain.order.refusals import out_of_stock
from domain.order.reservation import Shortage, StockLine, shortages
from domain.pricing.order_price import Limits, within_limits
from store.database.batcher import Overloaded
from store.orders.checkout_keys import PostgresCheckoutKeys
from workflows import run_names
from workflows.order import Order


class TooLarge(Exception):
    """Raised when the cart breaks a limit. Nothing was started, and the key is still free."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Unavailable(Exception):
    """Raised when Temporal does not answer, or too many ask at once. Ask again under the same key: nothing is done
    twice."""


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

    def __init__(
        self,
        client: Client,
        keys: PostgresCheckoutKeys,
        settings: CheckoutSettings,
        gate: StockGate | None = None,
    ) -> None:
        """`gate` None: every order is started, and its run asks the ledger."""
        self._client = client
        self._keys = keys
        self._settings = settings
        self._gate = gate
        self._turnstile = Turnstile(settings.wait_s)

    async def place(self, caller: str, key: str, cart: Cart) -> Placement | Accepted:
        """Place an order. Idempotency key: `(caller, key)`, for ever; the same key and body give the same answer. But
        what is sold out is refused without an order and without a number, and not remembered: asked again, it looks
        again.

        Raises TooLarge, store.database.keys.KeyReused and Unavailable."""
        too_large = within_limits(cart, self._settings.limits)
        if too_large is not None:
            raise TooLarge(too_large)
        body = hashlib.sha256(cart.model_dump_json().encode()).hexdigest()
        if self._gate is not None and (short := await self._sold_out(self._gate, caller, key, body, cart)):
            return Placement(order_no="", refusal=out_of_stock(short))
        today = datetime.now(UTC).date()
        minted = await self._keys.mint(caller, key, body, cart.buyer_id, today)
        answered = None if minted.new else await self._keys.answered(minted.order_no)
        if answered is not None:
            return answered
        if self._gate is None or (not minted.new and await self._is_started(minted.order_no)):
            return await self._start(caller, minted.order_no, cart)
        return await self._pass(self._gate, caller, minted.order_no, cart)

    async def _sold_out(self, gate: StockGate, caller: str, key: str, body: str, cart: Cart) -> list[Shortage]:
        """The lines that are sold out, for a key that has no order number yet. Most of a crowd is answered here, and
        nothing is written for it."""
        wanted = _wanted(cart)
        try:
            short = shortages(wanted, await gate.available(wanted))
            # The key after the stock: the same request beside this one has its number before it takes the last piece.
            return short if short and not await self._keys.is_known(caller, key, body) else []
        except Overloaded as full:
            raise Unavailable(str(full)) from full

    async def _pass(self, gate: StockGate, caller: str, order_no: str, cart: Cart) -> Placement | Accepted:
        """Start the order, unless what it wants is sold out: to others, that is, and not to a run of its own that the
        same request has started beside this one."""
        try:
            async with self._turnstile.passing(gate, _wanted(cart)) as short:
                if short and not await gate.knows(order_no):
                    return Placement(order_no="", refusal=out_of_stock(short))
                return await self._start(caller, order_no, cart)
        except (Crowded, Overloaded) as full:
            raise Unavailable(str(full)) from full

    async def _is_started(self, order_no: str) -> bool:
        """Whether the order has a run: then that one answers, however crowded it is."""
        try:
            await self._client.get_workflow_handle(run_names.order_id(order_no)).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise Unavailable(f"Temporal does not answer: {error.status.name}") from error
        return True

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


def _wanted(cart: Cart) -> list[StockLine]:
    return [StockLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity) for line in cart.lines]


async def _hear_out(start: WithStartWorkflowOperation[Order, object]) -> None:
    """The SDK leaves the same error on the operation too; unheard, asyncio prints it with a traceback."""
    with contextlib.suppress(Exception):
        await start.workflow_handle()
