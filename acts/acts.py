"""What parties do to an order that exists: an update to its run, or the status table's answer when it has ended."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from acts.checkout import Unavailable
from domain.order.acts import (
    Cancel,
    CancelPieces,
    ConfirmReceipt,
    Deliver,
    Reschedule,
    Review,
    Scan,
    ScanKind,
    Ship,
    closing_answer,
)
from domain.order.order_number import OrderNo, sub_order_no
from domain.order.status import Action, Actor, Answer, CloseReason, Status, allowed, refusal
from domain.risk import Decision
from store.orders.sub_order_book import PostgresSubOrderBook
from workflows import run_names

WAIT = timedelta(seconds=8)
LOOKS, BETWEEN_LOOKS_S = 10, 0.2


class NoSuchOrder(Exception):
    """Raised when there is no such order, or not for this party: the two look the same. The gateway answers 404."""


class _Torn(Exception):
    """The run was ending with this act when something else came: Temporal has thrown the task away, and the act with
    it. The run is open and does not know of the act, though the database may."""


class Acts:
    """Each returns an Answer: done, or refused with the state and what is allowed. Raises Unavailable when no worker
    answers; the act may then still happen, and asking again does no harm."""

    def __init__(self, client: Client, book: PostgresSubOrderBook) -> None:
        self._client = client
        self._book = book

    async def cancel(self, number: OrderNo, cancel: Cancel, key: str | None = None) -> Answer:
        """Cancel an order with all that has not shipped, or one sub-order by itself."""
        return await self._update(number, "cancel", cancel, Action.CANCEL, cancel.actor, key)

    async def reschedule(self, number: OrderNo, changed: Reschedule, key: str | None = None) -> Answer:
        """Move the ship date of a presale that has not left."""
        return await self._update(number, "reschedule", changed, Action.RESCHEDULE, changed.actor, key)

    async def cancel_pieces(self, number: OrderNo, cancel: CancelPieces, key: str | None = None) -> Answer:
        """Cancel some pieces of a sub-order. Without a key, asking again cancels again."""
        return await self._update(number, "cancel_pieces", cancel, Action.CANCEL, cancel.actor, key)

    async def ship(self, number: OrderNo, shipment: Ship, key: str | None = None) -> Answer:
        return await self._update(number, "ship", shipment, Action.SHIP, shipment.actor, key)

    async def track(self, number: OrderNo, scan: Scan, actor: Actor = Actor.CARRIER) -> Answer:
        """Take a carrier's scan. Every scan goes to the tracking view; only the delivery moves the sub-order on."""
        answer = await self._book.record_scan(_name(number), scan)
        if scan.kind is not ScanKind.DELIVERED or answer.refused is not None:
            return answer
        return await self.deliver(number, Deliver(actor=actor), key=f"scan/{scan.event_id}")

    async def deliver(self, number: OrderNo, delivery: Deliver, key: str | None = None) -> Answer:
        return await self._update(number, "deliver", delivery, Action.DELIVER, delivery.actor, key)

    async def confirm(self, number: OrderNo, receipt: ConfirmReceipt, key: str | None = None) -> Answer:
        return await self._update(number, "confirm_receipt", receipt, Action.CONFIRM_RECEIPT, receipt.actor, key)

    async def review(self, number: OrderNo, review: Review) -> Answer:
        """Record a review. It is a fact, not a story: the run has ended at the receipt."""
        return await self._book.review(_name(number), review.rating, review.text, datetime.now(UTC))

    async def decide_risk(self, number: OrderNo, decision: Decision) -> Answer:
        return await self._update(number, "decide_risk", decision, Action.REJECT, Actor.PLATFORM, None)

    async def _update(
        self, number: OrderNo, update: str, arg: object, action: Action, actor: Actor, key: str | None
    ) -> Answer:
        name = _name(number)
        run = run_names.order_id(name) if number.sub is None else run_names.sub_order_id(name)
        update_id = key or str(uuid.uuid4())
        for _ in range(LOOKS):
            with contextlib.suppress(_Torn):
                answer = await self._try(run, update, arg, update_id)
                if answer is not None:
                    return answer
                status = await self._book.status(number)
                if status is None:
                    raise NoSuchOrder
                if action not in allowed(status[0], actor):
                    return _ended(*status, action, actor)
            # A sub-order is in the database a moment before its run starts.
            await asyncio.sleep(BETWEEN_LOOKS_S)
        raise Unavailable("the order's run is not there: an operator ended it, or it is just starting; ask again later")

    async def _try(self, run: str, update: str, arg: object, update_id: str) -> Answer | None:
        """The answer of the order's open run; None when there is none. Raises _Torn."""
        try:
            answer: Answer = await self._client.get_workflow_handle(run).execute_update(
                update, arg, id=update_id, result_type=Answer, rpc_timeout=WAIT
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise Unavailable("no worker answers; ask again, nothing is done twice") from error
        except WorkflowUpdateFailedError as error:
            raise Unavailable(f"the run could not take it: {error.cause}; ask again") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            if error.status is RPCStatusCode.FAILED_PRECONDITION:
                raise _Torn from error
            raise Unavailable(f"Temporal does not answer: {error.status.name}") from error
        return answer


def _ended(status: Status, closed_for: CloseReason | None, action: Action, actor: Actor) -> Answer:
    """The run has ended, so the order is at an ending. What this party had done already is done; else the table
    says what may still be done."""
    if action is Action.CANCEL and status is Status.CLOSED:
        return closing_answer(closed_for, actor)
    if action is Action.CONFIRM_RECEIPT and status in (Status.COMPLETED, Status.REVIEWED):
        return Answer(status=status)
    return Answer(status=status, refused=refusal(status, action, actor))


def _name(number: OrderNo) -> str:
    return number.order_no if number.sub is None else sub_order_no(number.order_no, number.sub)
