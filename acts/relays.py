"""The relays: payment notifications from the inbox to their orders, alarms and notices from the outbox to people; and
who keeps the runs of after-sale's cases, and of money on its way back, going.

All run in every worker. What one of them has claimed and not settled is another's after the lease.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
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
from temporalio.service import RPCError, RPCStatusCode

from activities.audit import AuditActivities, StartAgain
from activities.payment import StrayCapture
from acts.after_sales import AfterSales
from domain.order.precedence import WANTED, CaptureOutcome
from providers.notifier import HttpNotifier
from store.after_sale.cases import PostgresAfterSales
from store.database.log_and_outbox import ALARM
from store.database.outbox import PostgresOutbox
from store.money.inbox import Notification, PostgresInbox
from workflows import run_names
from workflows.stray_payment import StrayPayment

IDLE_S = 0.25
AFTER_A_FAULT_S = 2.0
AT_ONCE = 20
KEEPERS_LOOK_EVERY_S = 30.0
OVERDUE = timedelta(minutes=1)  # for whom a keeper looks
KEPT_AT_ONCE = 100
ALARM_AFTER = 8  # tries: some two minutes without a worker, or something worse

log = logging.getLogger("relay")


async def keep_going(step: Callable[[], Awaitable[int]], what: str) -> None:
    """Repeat a step for ever: at once while there is work, after a pause when there is none or it failed."""
    while True:
        try:
            moved = await step()
        except Exception as fault:
            # Nothing is lost: what was not settled is claimed again. So any fault is logged and outlived.
            log.warning("%s: %s", what, fault)
            await asyncio.sleep(AFTER_A_FAULT_S)
        else:
            if moved == 0:
                await asyncio.sleep(IDLE_S)


async def look_now_and_then(look: Callable[[], Awaitable[None]]) -> int:
    """Look once, then wait until the next look is due: the step that `keep_going` repeats for a keeper."""
    await look()
    await asyncio.sleep(KEEPERS_LOOK_EVERY_S)
    return 0


class CutShort(Exception):
    """Raised when a payment's order has lost its run. The run is being started again, and the payment is delivered
    to it later."""


class InboxRelay:
    """Delivers each notification to its order as an update, with the notification's id as the update's."""

    def __init__(self, client: Client, inbox: PostgresInbox, audit: AuditActivities, task_queue: str) -> None:
        self._client = client
        self._inbox = inbox
        self._audit = audit
        self._task_queue = task_queue

    async def step(self) -> int:
        claimed = await self._inbox.claim(AT_ONCE)
        await asyncio.gather(*(self._deliver(notification) for notification in claimed))
        return len(claimed)

    async def _deliver(self, notification: Notification) -> None:
        try:
            outcome = await self._offer(notification)
            if outcome not in WANTED:
                await self.send_back(StrayCapture(capture=notification.capture, why=outcome))
        except (CutShort, RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            pause = timedelta(seconds=min(30.0, 0.5 * 2 ** min(notification.attempts, 10)))
            log.info("notification %s waits %s: %s", notification.notification_id, pause, error)
            await self._inbox.retry_in(notification.notification_id, pause)
            if notification.attempts == ALARM_AFTER:
                await self._inbox.alarm(notification.notification_id, f"not delivered in {ALARM_AFTER} tries: {error}")
            return
        await self._inbox.settle(notification.notification_id, outcome)

    async def _offer(self, notification: Notification) -> CaptureOutcome:
        """Ask the order's run whether it wants the money. No open run wants none."""
        capture = notification.capture
        order = self._client.get_workflow_handle(run_names.order_id(capture.payment_id))
        try:
            outcome: CaptureOutcome = await order.execute_update(
                "receive_payment",
                capture,
                id=notification.notification_id,
                result_type=CaptureOutcome,
                rpc_timeout=timedelta(seconds=8),
            )
            return outcome
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        if await self._inbox.awaits(capture):
            again = StartAgain(order_no=capture.payment_id, why="it was not there for a payment", at=datetime.now(UTC))
            started = await self._audit.start_order_again(again)
            raise CutShort(f"order {capture.payment_id} has lost its run: {started.outcome}")
        return await self._inbox.without_a_run(capture)

    async def send_back(self, stray: StrayCapture) -> None:
        """Idempotency key: the capture. Start the run that sends it back, unless it is there or has done so."""
        capture = stray.capture
        try:
            await self._client.start_workflow(
                StrayPayment.run,
                stray,
                id=run_names.stray_payment_id(capture.capture_id),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                # Not after it has ended; but after it was terminated.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=f"{capture.amount_fen} fen {capture.currency} for {capture.payment_id}: {stray.why}",
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(run_names.ORDER_NO, capture.payment_id[:64])]
                ),
            )
        except WorkflowAlreadyStartedError:
            log.info("capture %s has been sent back before", capture.capture_id)


class StrayKeeper:
    """Starts the run of a stray payment again when its money is not back in good time: no parent would do it."""

    def __init__(self, inbox: PostgresInbox, relay: InboxRelay, overdue: timedelta = OVERDUE) -> None:
        self._inbox = inbox
        self._relay = relay
        self._overdue = overdue

    async def look(self) -> None:
        for stray in await self._inbox.not_back(self._overdue, KEPT_AT_ONCE):
            await self._relay.send_back(stray)


class OutboxRelay:
    """Posts alarms and notices to the address in the settings, at least once; logs every alarm."""

    def __init__(self, outbox: PostgresOutbox, notifier: HttpNotifier | None) -> None:
        self._outbox = outbox
        self._notifier = notifier

    async def step(self) -> int:
        claimed = await self._outbox.claim(AT_ONCE)
        posted: list[int] = []
        for message in claimed:
            if message.topic == ALARM and message.attempts == 1:
                log.warning("alarm %s: %s", message.message_id, message.body)
            try:
                if self._notifier is not None:
                    await self._notifier.post(message.topic, message.message_id, message.body)
                posted.append(message.id)
            except Exception as fault:
                log.info("%s waits: %s", message.message_id, fault)
        if posted:
            await self._outbox.posted(posted)
        return len(claimed)


class CaseKeeper:
    """A case has no parent that would start its run again, and holds pieces and a settlement while it is open: one
    whose clock should have acted, and did not, gets its run back. Where it is there, nothing happens."""

    def __init__(self, cases: PostgresAfterSales, front: AfterSales, overdue: timedelta = OVERDUE) -> None:
        self._cases = cases
        self._front = front
        self._overdue = overdue

    async def look(self) -> None:
        for start in await self._cases.overdue(self._overdue, KEPT_AT_ONCE):
            await self._front.keep(start)
