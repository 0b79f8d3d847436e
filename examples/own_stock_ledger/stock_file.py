"""The pieces in one SQLite file, which the processes of one machine share."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS counters (
    sku TEXT PRIMARY KEY,
    total INTEGER NOT NULL,
    available INTEGER NOT NULL CHECK (available >= 0),
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    sold INTEGER NOT NULL CHECK (sold >= 0),
    on_payment INTEGER NOT NULL,       -- only its payment takes it, so the gate lets it through
    CHECK (total = available + reserved + sold));
CREATE TABLE IF NOT EXISTS orders (    -- an order's key, and the first answers
    order_no INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('HELD', 'SOLD', 'RELEASED', 'REFUSED')),
    since TEXT NOT NULL,
    reserved TEXT, deducted TEXT, released INTEGER);
CREATE INDEX IF NOT EXISTS orders_held ON orders (order_no) WHERE state = 'HELD';
CREATE TABLE IF NOT EXISTS lines (
    order_no INTEGER NOT NULL, line_no INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('RESERVED', 'PROMISED', 'SOLD', 'RELEASED')),
    restocked INTEGER NOT NULL DEFAULT 0 CHECK (restocked BETWEEN 0 AND quantity),
    PRIMARY KEY (order_no, line_no));
CREATE TABLE IF NOT EXISTS restocks (
    order_no INTEGER NOT NULL, reason_key TEXT NOT NULL, pieces INTEGER NOT NULL,
    PRIMARY KEY (order_no, reason_key));
"""

PATIENCE_S = 2.0  # for another process that writes: less than a try of a local activity


class StockFile:
    """One connection of one process. Statements run without an `await` in between, so no two calls interleave."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A file that can't be read is a party that does not answer: checkout tells its caller to come again."""
        try:
            yield self._db
        except sqlite3.OperationalError as error:
            raise ConnectionError(f"the stock's file: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and on the disk when it ends. Another process waits until then."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def receive(self, sku: str, pieces: int, *, on_payment: bool = False) -> None:
        """More to sell."""
        with self.writing() as db:
            db.execute("INSERT OR IGNORE INTO counters VALUES (?, 0, 0, 0, 0, ?)", (sku, on_payment))
            db.execute(
                "UPDATE counters SET total = total + ?1, available = available + ?1 WHERE sku = ?2", (pieces, sku)
            )

    def available(self, *skus: str) -> dict[str, int]:
        """The pieces left of each SKU that was ever received."""
        with self.reading() as db:
            rows = [db.execute("SELECT sku, available FROM counters WHERE sku = ?", (sku,)).fetchone() for sku in skus]
        return {row["sku"]: row["available"] for row in rows if row is not None}
