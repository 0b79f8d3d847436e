"""The inbox of payment notifications: what is in it is delivered until it is settled, and kept for ever."""

from datetime import timedelta

from sqlalchemy import BindParameter, Integer, Interval, Text, bindparam, cast, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.payment import StrayCapture
from domain.base import Message
from domain.order.payment import Capture
from domain.order.precedence import WANTED, CaptureOutcome
from domain.order.status import Status
from store.database.engine import single
from store.database.log_and_outbox import ALARM, tell
from store.money.payments import STRAY_REFUND
from store.tables import captures, orders, payment_notifications, refunds

# While one relay works on a notification the others leave it alone; should that relay die, they take over then.
LEASE = timedelta(seconds=12)

_INBOX = payment_notifications.c
_DUE = (
    select(_INBOX.notification_id)
    .where(_INBOX.settled_at.is_(None), _INBOX.due_at <= func.now())
    .order_by(_INBOX.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(payment_notifications)
    .where(_INBOX.notification_id.in_(_DUE))
    .values(due_at=func.now() + bindparam("lease", LEASE), attempts=_INBOX.attempts + 1)
    .returning(_INBOX.notification_id, cast(_INBOX.capture, Text), _INBOX.attempts)
)
_THIS = update(payment_notifications).where(_INBOX.notification_id == bindparam("of_notification"))
_SETTLE = _THIS.values(settled_at=func.now(), outcome=bindparam("said"))
_RETRY = _THIS.values(due_at=func.now() + bindparam("pause", type_=Interval))
_FILE = insert(payment_notifications).on_conflict_do_nothing()


class Notification(Message):
    notification_id: str
    capture: Capture
    attempts: int


class PostgresInbox:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._single = single(engine)

    async def put(self, notification_id: str, capture: Capture) -> bool:
        """File a notification, before the provider gets its 2xx. False when it has come before. Idempotency key: its
        id."""
        async with self._engine.begin() as db:
            return await file_capture(db, notification_id, capture) > 0

    async def claim(self, most: int) -> list[Notification]:
        """Take what is due, for the time of the lease."""
        async with self._single.connect() as db:
            return [
                Notification(
                    notification_id=notification_id,
                    capture=Capture.model_validate_json(capture),
                    attempts=attempts,
                )
                for notification_id, capture, attempts in await db.execute(_CLAIM, {"most": most})
            ]

    async def settle(self, notification_id: str, outcome: CaptureOutcome) -> None:
        async with self._single.connect() as db:
            await db.execute(_SETTLE, {"of_notification": notification_id, "said": outcome.value})

    async def not_back(self, so_long: timedelta, most: int) -> list[StrayCapture]:
        """Money that no order wanted, and that is not back at its payer so long after. Oldest first."""
        refund_no = STRAY_REFUND + _INBOX.capture_id
        back = exists().where(refunds.c.refund_no == refund_no, refunds.c.state == "DONE")
        kept = exists().where(captures.c.capture_id == _INBOX.capture_id, captures.c.fate == "ACCEPTED")
        # Written out, as in the index that has these and no others.
        wanted: BindParameter[list[str]] = bindparam(
            "wanted", sorted(outcome.value for outcome in WANTED), expanding=True, literal_execute=True
        )
        late = _INBOX.settled_at < func.now() - bindparam("so_long", so_long)
        found = (
            select(cast(_INBOX.capture, Text), _INBOX.outcome)
            .where(_INBOX.outcome.not_in(wanted), late, ~back, ~kept)
            .order_by(_INBOX.settled_at)
            .limit(most)
        )
        async with self._engine.connect() as db:
            return [
                StrayCapture(capture=Capture.model_validate_json(capture), why=CaptureOutcome(why))
                for capture, why in await db.execute(found)
            ]

    async def alarm(self, notification_id: str, text: str) -> None:
        """Raise an alarm for a notification that reaches no order, since money may be behind it. It is raised once
        for each."""
        async with self._engine.begin() as db:
            await tell(db, ALARM, f"inbox/{notification_id}", {"notification_id": notification_id, "text": text})

    async def retry_in(self, notification_id: str, pause: timedelta) -> None:
        async with self._single.connect() as db:
            await db.execute(_RETRY, {"of_notification": notification_id, "pause": pause})

    async def awaits(self, capture: Capture) -> bool:
        """Whether an order waits for this payment. Without an open run it was cut short: a closing would say so."""
        of_order = cast(orders.c.order_no, Text) == capture.payment_id
        waiting = exists().where(of_order, orders.c.status == Status.PENDING_PAYMENT.value)
        taken = exists().where(captures.c.capture_id == capture.capture_id)
        async with self._engine.connect() as db:
            return bool(await db.scalar(select(waiting & ~taken)))

    async def without_a_run(self, capture: Capture) -> CaptureOutcome:
        """What to make of money for an order that has no open run."""
        async with self._engine.connect() as db:
            fate = await db.scalar(select(captures.c.fate).where(captures.c.capture_id == capture.capture_id))
            if fate is not None:
                return CaptureOutcome.DUPLICATE if fate == "ACCEPTED" else CaptureOutcome.ALREADY_STRAY
            number = cast(orders.c.order_no, Text)
            known = await db.scalar(select(exists().where(number == capture.payment_id)))
        return CaptureOutcome.TOO_LATE if known else CaptureOutcome.UNKNOWN_ORDER


async def file_capture(db: AsyncConnection, notification_id: str, capture: Capture) -> int:
    """Put money that arrived into the inbox; 0 when this notification is there already. Kept for ever."""
    row = {
        "notification_id": notification_id,
        "capture_id": capture.capture_id,
        "capture": capture.model_dump(mode="json"),
    }
    filed = await db.execute(_FILE, row)
    return filed.rowcount
