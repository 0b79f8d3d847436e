"""All that the sandbox knows, in one SQLite file. What was answered is on the disk, and survives a kill.

There is one thread and one connection. A request's statements run without an `await` in between, so that those of two
requests never interleave.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from providers.sandbox.bad_days import BadDays

_TABLES = """
CREATE TABLE IF NOT EXISTS payments (      -- request is NULL for a tombstone: closed but never created
    payment_id TEXT PRIMARY KEY, request TEXT, closed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS captures (
    seq INTEGER PRIMARY KEY, capture_id TEXT NOT NULL UNIQUE, payment_id TEXT NOT NULL,
    capture TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS captures_of_payment ON captures (payment_id);
CREATE TABLE IF NOT EXISTS refunds (       -- moved_fen is 0 for a refused one
    refund_no TEXT PRIMARY KEY, capture_id TEXT NOT NULL, moved_fen INTEGER NOT NULL,
    refund_order TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_capture ON refunds (capture_id);
CREATE TABLE IF NOT EXISTS notifications ( -- copies_left: acknowledgements still wanted
    notification_id TEXT PRIMARY KEY, capture_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, copies_left INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS notifications_pending ON notifications (due_at) WHERE copies_left > 0;
CREATE TABLE IF NOT EXISTS hand_overs (
    seq INTEGER PRIMARY KEY, sub_order_no TEXT NOT NULL UNIQUE, merchant TEXT NOT NULL, parcel TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS grants (
    sub_order_no TEXT PRIMARY KEY, merchant TEXT NOT NULL, granted TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hooks (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, message_id TEXT NOT NULL, body TEXT NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 1, UNIQUE (topic, message_id));
CREATE TABLE IF NOT EXISTS bad_days (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1), switches TEXT NOT NULL);
"""


class StateInUse(Exception):
    """Raised when the file can't be opened, most likely because another sandbox has it open; the sandbox then ends."""


class State:
    """The sandbox's file, and the switches that are kept in it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, timeout=1, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        try:
            # The lock is exclusive: two sandboxes on one file would both send its notifications.
            self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            self.db.close()
            raise StateInUse(f"{path}: {error}; is another sandbox running on it?") from None

    def close(self) -> None:
        """Close the file, so that another process may open it."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing, and on the disk when it ends."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    @property
    def bad_days(self) -> BadDays:
        """The switches as they are now."""
        row = self.db.execute("SELECT switches FROM bad_days").fetchone()
        return BadDays.model_validate_json(row["switches"]) if row else BadDays()

    def set_bad_days(self, bad_days: BadDays) -> None:
        """Replace all switches at once; they survive a restart."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO bad_days VALUES (1, ?)", (bad_days.model_dump_json(),))


async def _current_state(request: Request) -> State:
    # This is async, since FastAPI would otherwise call it on a thread of its own.
    state = request.app.state.sandbox
    assert isinstance(state, State)
    return state


TheState = Annotated[State, Depends(_current_state)]
