"""The four verbs of sellable stock. Each has its key in the transaction of its effect, so that it counts once."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine, shortages
from domain.order.stock import StockPolicy
from examples.own_stock_ledger.stock_file import StockFile

# What one piece does to a counter: available, reserved, sold.
RESERVE, RELEASE = (-1, +1, 0), (+1, -1, 0)
SELL, SELL_PROMISED, BRING_BACK = (0, -1, +1), (-1, 0, +1), (+1, 0, -1)


class SqliteStock:
    """Implements `activities.stock.StockLedger`. It sells through one channel and knows no purchase limits."""

    def __init__(self, file: StockFile) -> None:
        self._file = file

    async def reserve(self, request: ReserveStock) -> Reserved:
        with self._file.writing() as db:
            known = _order(db, request.order_no)
            if known is not None:
                return _told_before(db, known, request)
            answer = Reserved(short=_lacking(request.lines, self._file))
            state = "REFUSED" if answer.short else "HELD"
            since = (request.at or datetime.now(UTC)).isoformat()
            _insert(db, request.order_no, state, since, answer.model_dump_json())
            for line in request.lines if not answer.short else ():
                _hold(db, request.order_no, line)
            return answer

    async def release(self, request: ReleaseStock) -> Moved:
        with self._file.writing() as db:
            known = _order(db, request.order_no)
            if known is None:  # the tombstone
                _insert(db, request.order_no, "RELEASED", datetime.now(UTC).isoformat(), None)
            elif known["released"] is not None:
                return Moved(pieces=known["released"])
            ended = ["RESERVED", "PROMISED", *(["SOLD"] if request.sold else [])]
            lines = [line for line in _lines(db, request.order_no) if line["state"] in ended]
            moved = sum(_give_back(db, line) for line in lines)
            if lines:
                _change(db, request.order_no, state="RELEASED")
            _change(db, request.order_no, released=moved)
            return Moved(pieces=moved)

    async def deduct(self, request: StockOf) -> Deducted:
        with self._file.writing() as db:
            known = _order(db, request.order_no)
            if known is None or known["state"] == "REFUSED":
                return Deducted(pieces=0)
            if known["state"] == "SOLD":
                return Deducted.model_validate_json(known["deducted"])
            lines = _lines(db, request.order_no)
            if known["state"] == "RELEASED":
                return Deducted(pieces=0, short=[_short(line, 0) for line in lines])
            short = [lacking for line in lines if (lacking := _sell(db, line, self._file)) is not None]
            pieces = sum(line["quantity"] for line in _lines(db, request.order_no) if line["state"] == "SOLD")
            answer = Deducted(pieces=pieces, short=short)
            _change(db, request.order_no, state="SOLD", deducted=answer.model_dump_json())
            return answer

    async def restock(self, request: Restock) -> Moved:
        with self._file.writing() as db:
            key = (int(request.order_no), request.reason_key)
            done = db.execute("SELECT pieces FROM restocks WHERE order_no = ? AND reason_key = ?", key).fetchone()
            if done is not None:
                return Moved(pieces=done["pieces"])
            known = _order(db, request.order_no)
            back = [] if known is not None and known["state"] == "RELEASED" else request.lines
            moved = sum(_restock(db, request.order_no, line) for line in back)
            db.execute("INSERT INTO restocks VALUES (?, ?, ?)", (*key, moved))
            return Moved(pieces=moved)


# --- within a transaction


def _order(db: sqlite3.Connection, order_no: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM orders WHERE order_no = ?", (int(order_no),)).fetchone()
    return row


def _lines(db: sqlite3.Connection, order_no: str) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM lines WHERE order_no = ? ORDER BY line_no", (int(order_no),)).fetchall()


def _insert(db: sqlite3.Connection, order_no: str, state: str, since: str, answer: str | None) -> None:
    row = (int(order_no), state, since, answer)
    db.execute("INSERT INTO orders (order_no, state, since, reserved) VALUES (?, ?, ?, ?)", row)


def _change(db: sqlite3.Connection, order_no: str, **values: str | int) -> None:
    columns = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE orders SET {columns} WHERE order_no = ?", (*values.values(), int(order_no)))


def _told_before(db: sqlite3.Connection, known: sqlite3.Row, request: ReserveStock) -> Reserved:
    if known["state"] == "REFUSED":
        return Reserved.model_validate_json(known["reserved"])
    if known["released"] is not None:
        return Reserved(short=[], released_before=True)
    held = {(line["line_no"], line["sku"], line["quantity"]) for line in _lines(db, request.order_no)}
    asked = {(line.line_no, line.sku, line.quantity) for line in request.lines}
    return Reserved(short=[], other_lines=asked != held)


def _lacking(lines: Sequence[StockLine], file: StockFile) -> list[Shortage]:
    """What only its payment takes is not lacking yet; but a SKU that nobody has received is."""
    there = file.available(*{line.sku for line in lines})
    taken = [line for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT or line.sku not in there]
    return shortages(taken, {line.sku: there.get(line.sku, 0) for line in taken})


def _hold(db: sqlite3.Connection, order_no: str, line: StockLine) -> None:
    taken = line.policy is StockPolicy.RESERVE_ON_PLACEMENT
    row = (int(order_no), line.line_no, line.sku, line.quantity, "RESERVED" if taken else "PROMISED")
    db.execute("INSERT INTO lines (order_no, line_no, sku, quantity, state) VALUES (?, ?, ?, ?, ?)", row)
    if taken:
        _move(db, line.sku, line.quantity, RESERVE)


def _sell(db: sqlite3.Connection, line: sqlite3.Row, file: StockFile) -> Shortage | None:
    """A reserved line is sold. A promised one takes its stock now, or is named as lacking."""
    promised, left = line["state"] == "PROMISED", file.available(line["sku"])[line["sku"]]
    if promised and left < line["quantity"]:
        _end(db, line, "RELEASED")
        return _short(line, left)
    _move(db, line["sku"], line["quantity"], SELL_PROMISED if promised else SELL)
    _end(db, line, "SOLD")
    return None


def _give_back(db: sqlite3.Connection, line: sqlite3.Row) -> int:
    """The pieces that a line still had. A promised one had none."""
    if line["state"] == "SOLD":
        left: int = line["quantity"] - line["restocked"]
        _move(db, line["sku"], left, BRING_BACK)
    else:
        left = line["quantity"] if line["state"] == "RESERVED" else 0
        _move(db, line["sku"], left, RELEASE)
    _end(db, line, "RELEASED")
    return left


def _restock(db: sqlite3.Connection, order_no: str, line: StockLine) -> int:
    row = (line.quantity, int(order_no), line.line_no, line.sku)
    brought = db.execute(
        "UPDATE lines SET restocked = restocked + ? WHERE order_no = ? AND line_no = ? AND sku = ? AND state = 'SOLD'",
        row,
    )
    if line.quantity < 1 or not brought.rowcount:
        raise ValueError(f"order {order_no} took no {line.sku} for line {line.line_no}: none goes back")
    _move(db, line.sku, line.quantity, BRING_BACK)
    return line.quantity


def _end(db: sqlite3.Connection, line: sqlite3.Row, state: str) -> None:
    row = (state, line["order_no"], line["line_no"])
    db.execute("UPDATE lines SET state = ? WHERE order_no = ? AND line_no = ?", row)


def _move(db: sqlite3.Connection, sku: str, pieces: int, way: tuple[int, int, int]) -> None:
    """The CHECKs refuse what is not there."""
    available, reserved, sold = (one * pieces for one in way)
    db.execute(
        "UPDATE counters SET available = available + ?, reserved = reserved + ?, sold = sold + ? WHERE sku = ?",
        (available, reserved, sold, sku),
    )


def _short(line: sqlite3.Row, left: int) -> Shortage:
    return Shortage(line_no=line["line_no"], sku=line["sku"], wanted=line["quantity"], available=left)
