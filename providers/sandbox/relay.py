"""The provider's notifications: signed, and sent at least once, until the receiver answers 2xx."""

import asyncio
import contextlib
import json
import sqlite3
import time
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from domain.order.payment import Capture
from providers.sandbox.state import State

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
PATIENCE_S = 5.0
MOST_AT_ONCE = 64


def enqueue(db: sqlite3.Connection, capture: Capture, due_at: float, copies: int) -> None:
    """Enqueue a notification in the transaction of its capture; `due_at` is in seconds since 1970. Repeats have the
    same id and body."""
    data = capture.model_dump(mode="json")
    body = {"type": "payment.captured", "timestamp": data["captured_at"], "data": data}
    db.execute(
        "INSERT INTO notifications (notification_id, capture_id, body, due_at, copies_left) VALUES (?, ?, ?, ?, ?)",
        (f"ntf_{uuid4().hex}", capture.capture_id, json.dumps(body), due_at, copies),
    )


class Relay:
    """The one task that sends notifications. They are sent concurrently, so that one without an answer delays no
    other."""

    def __init__(self, state: State, notify_url: str, secret: str) -> None:
        self._state = state
        self._url = notify_url
        try:
            self._webhook = Webhook(secret)
        except Exception:
            # The error is not chained, so that no message has the secret.
            raise ValueError("the webhook secret must be base64, optionally after whsec_") from None
        self._in_flight: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look again now, since something was enqueued or a send has ended."""
        self._wake.set()

    async def run(self) -> None:
        """Send whatever is due, until cancelled."""
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client,
            asyncio.TaskGroup() as sends,
        ):
            while True:
                self._wake.clear()
                due, pause_s = self.look(time.time())
                for notification_id, body in due:
                    self._in_flight.add(notification_id)
                    sends.create_task(self._send(client, notification_id, body))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause_s)

    def look(self, now: float) -> tuple[list[tuple[str, str]], float | None]:
        """What is due at `now`, as ids and bodies, and the seconds until the next falls due (None: none does).

        What is due beyond the most at once waits until a send ends, which wakes the relay. Both answers are of the same
        moment: a notification that fell due between two moments would be in neither answer and never be sent."""
        # Those tried least come first, so that a crowd that is never acknowledged can't starve a new one.
        rows = self._state.db.execute(
            "SELECT notification_id, body FROM notifications WHERE copies_left > 0 AND due_at <= ?"
            " ORDER BY attempts, due_at, rowid LIMIT ?",
            (now, MOST_AT_ONCE + len(self._in_flight)),
        )
        waiting = [(row[0], row[1]) for row in rows if row[0] not in self._in_flight]
        (later,) = self._state.db.execute(
            "SELECT MIN(due_at) FROM notifications WHERE copies_left > 0 AND due_at > ?", (now,)
        ).fetchone()
        pause_s = None if later is None else max(0.0, later - time.time())
        return waiting[: MOST_AT_ONCE - len(self._in_flight)], pause_s

    async def _send(self, client: httpx.AsyncClient, notification_id: str, body: str) -> None:
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(notification_id, now, body),
        }
        acknowledged = False
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
            response = await client.post(self._url, content=body, headers=headers)
            acknowledged = response.is_success
        self._record(notification_id, acknowledged)
        self._in_flight.discard(notification_id)
        self.wake()

    def _record(self, notification_id: str, acknowledged: bool) -> None:
        with self._state.transaction() as db:
            if acknowledged:
                db.execute(
                    "UPDATE notifications SET attempts = attempts + 1, copies_left = copies_left - 1"
                    " WHERE notification_id = ?",
                    (notification_id,),
                )
                return
            row = db.execute(
                "SELECT attempts FROM notifications WHERE notification_id = ?", (notification_id,)
            ).fetchone()
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(row["attempts"], 10))
            db.execute(
                "UPDATE notifications SET attempts = attempts + 1, due_at = ? WHERE notification_id = ?",
                (time.time() + pause_s, notification_id),
            )
