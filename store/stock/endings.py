"""`release`, `deduct` and `restock`, each for many orders in one transaction.

The orders' rows are locked first, so that what is done to one order comes one after the other. A release leaves a row
(a tombstone) even for an order that had none. The stock is locked next, as everywhere by SKU and channel.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.grant import Counted
from domain.order.reservation import Shortage
from store.database.asyncpg_direct import Connection, Row, transaction

# A release makes a row where there is none; the value of `placed_at` does not matter for a tombstone.
_TOMBSTONES = """
INSERT INTO stock_operations (order_no, buyer_id, placed_at, outcome)
SELECT order_no, 0, now(), 'RELEASED_BEFORE' FROM unnest($1::bigint[]) AS asked(order_no) ORDER BY order_no
ON CONFLICT DO NOTHING
"""

_ORDERS = """
SELECT order_no, outcome, released_pieces, deducted::text
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_operations o USING (order_no)
ORDER BY order_no FOR UPDATE OF o
"""

_OPEN_LINES = """
SELECT r.order_no, r.line_no, r.sku, r.channel, r.quantity, r.state
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_reservations r USING (order_no)
WHERE r.state IN ('RESERVED', 'PROMISED') ORDER BY r.order_no, r.line_no
"""

_LINES = """
SELECT r.order_no, r.line_no, r.sku, r.quantity
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_reservations r USING (order_no)
ORDER BY r.order_no, r.line_no
"""

_UNSELL = """
UPDATE stock_reservations r SET restocked = r.quantity
FROM (
  SELECT r.order_no, r.line_no, r.quantity - r.restocked AS quantity
  FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_reservations r USING (order_no)
  WHERE r.state = 'DEDUCTED' AND r.restocked < r.quantity
) AS back
WHERE r.order_no = back.order_no AND r.line_no = back.line_no
RETURNING r.order_no, r.line_no, r.sku, r.channel, back.quantity
"""

_STOCK = """
SELECT sku, channel, available FROM unnest($1::text[], $2::text[]) AS asked(sku, channel)
JOIN stock s USING (sku, channel) ORDER BY sku, channel FOR UPDATE OF s
"""

_END_LINES = """
UPDATE stock_reservations r SET state = ended.state
FROM unnest($1::bigint[], $2::int[], $3::text[]) AS ended(order_no, line_no, state)
WHERE r.order_no = ended.order_no AND r.line_no = ended.line_no
"""

# One row per order and counter; `available`, `reserved` and `gone` say which way one of its pieces goes.
_MOVE = """
WITH l AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[])
      AS l(order_no, sku, channel, quantity, available, reserved, gone)
  ),
  moved AS (
    UPDATE stock s SET available = s.available + d.available, reserved = s.reserved + d.reserved,
      deducted = s.deducted + d.gone
    FROM (
      SELECT sku, channel, sum(quantity * available) AS available, sum(quantity * reserved) AS reserved,
        sum(quantity * gone) AS gone
      FROM l GROUP BY sku, channel
    ) AS d
    WHERE s.sku = d.sku AND s.channel = d.channel
  )
INSERT INTO stock_entries (sku, channel, kind, available, reserved, gone, order_nos, pieces)
SELECT sku, channel, $1::text, sum(quantity) * available, sum(quantity) * reserved, sum(quantity) * gone,
  array_agg(order_no), array_agg(quantity)
FROM l GROUP BY sku, channel, available, reserved, gone
"""

_RELEASED = """
UPDATE stock_operations o SET released_pieces = done.pieces
FROM unnest($1::bigint[], $2::bigint[]) AS done(order_no, pieces) WHERE o.order_no = done.order_no
"""

_DEDUCTED = """
UPDATE stock_operations o SET deducted = done.answer::jsonb
FROM unnest($1::bigint[], $2::text[]) AS done(order_no, answer) WHERE o.order_no = done.order_no
"""

_CLAIM_RESTOCKS = """
INSERT INTO stock_restocks (order_no, reason_key, pieces)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS asked(order_no, reason_key, pieces)
ORDER BY order_no, reason_key
ON CONFLICT DO NOTHING
RETURNING order_no, reason_key
"""

_RESTOCKED = """
SELECT order_no, reason_key, r.pieces FROM unnest($1::bigint[], $2::text[]) AS asked(order_no, reason_key)
JOIN stock_restocks r USING (order_no, reason_key)
"""

# The table's CHECKs refuse to bring back more than was deducted, or anything of a line that was not.
_BRING_BACK = """
UPDATE stock_reservations r SET restocked = r.restocked + back.quantity
FROM (
  SELECT order_no, line_no, sku, sum(quantity)::int AS quantity
  FROM unnest($1::bigint[], $2::int[], $3::text[], $4::int[]) AS l(order_no, line_no, sku, quantity)
  GROUP BY order_no, line_no, sku
) AS back
WHERE r.order_no = back.order_no AND r.line_no = back.line_no AND r.sku = back.sku
RETURNING r.order_no, r.line_no, r.sku, r.channel, back.quantity
"""

# What one piece adds to the counters (available, reserved, gone).
Way = tuple[int, int, int]
RELEASE: Way = (+1, -1, 0)
DEDUCT_RESERVED: Way = (0, -1, +1)
DEDUCT_PROMISED: Way = (-1, 0, +1)
RESTOCK: Way = (+1, 0, -1)


@dataclass
class CounterChanges:
    """The changes of lines and counters that a transaction is about to write."""

    states: list[tuple[int, int, str]] = field(default_factory=list)  # order, line, state
    moves: list[tuple[int, str, str, int, Way]] = field(default_factory=list)

    def move(self, line: Row, way: Way) -> None:
        self.moves.append((line["order_no"], line["sku"], line["channel"], line["quantity"], way))

    def end(self, line: Row, state: str) -> None:
        self.states.append((line["order_no"], line["line_no"], state))

    async def write(self, db: Connection, kind: str) -> None:
        if self.states:
            await db.execute(_END_LINES, *map(list, zip(*self.states, strict=True)))
        if self.moves:
            orders, skus, channels, pieces, ways = map(list, zip(*self.moves, strict=True))
            await db.execute(_MOVE, kind, orders, skus, channels, pieces, *map(list, zip(*ways, strict=True)))


async def release(engine: AsyncEngine, requests: Sequence[ReleaseStock]) -> list[Moved]:
    order_nos = [int(request.order_no) for request in requests]
    unsell = {int(request.order_no) for request in requests if request.sold}
    async with transaction(engine) as db:
        await db.execute(_TOMBSTONES, order_nos)
        first = {row["order_no"]: row["released_pieces"] for row in await _locked(db, order_nos)}
        new = [order_no for order_no, pieces in first.items() if pieces is None]
        if new:
            first |= await _release(db, new, [order_no for order_no in new if order_no in unsell])
    return [Moved(pieces=first[order_no]) for order_no in order_nos]


async def _release(db: Connection, order_nos: Sequence[int], unsell: Sequence[int]) -> dict[int, int]:
    """Release the orders, and say how many pieces each of them had. A promised line had none, and ends with the others.
    For the orders in `unsell`, what was deducted is brought back as well."""
    released, unsold = CounterChanges(), CounterChanges()
    for line in await db.fetch(_OPEN_LINES, order_nos):
        released.end(line, "RELEASED")
        if line["state"] == "RESERVED":
            released.move(line, RELEASE)
    for line in await db.fetch(_UNSELL, unsell) if unsell else []:
        unsold.move(line, RESTOCK)
    moves = released.moves + unsold.moves
    await _lock_stock(db, ((sku, channel) for _, sku, channel, _, _ in moves))
    await released.write(db, "release")
    await unsold.write(db, "restock")
    pieces = dict.fromkeys(order_nos, 0)
    for order_no, _, _, quantity, _ in moves:
        pieces[order_no] += quantity
    await db.execute(_RELEASED, list(pieces), list(pieces.values()))
    await _keep(db, await _all_gone(db, sorted({order_no for order_no, *_ in unsold.moves})))
    return pieces


async def deduct(engine: AsyncEngine, requests: Sequence[StockOf]) -> list[Deducted]:
    order_nos = [int(request.order_no) for request in requests]
    async with transaction(engine) as db:
        answers: dict[int, Deducted] = {}
        new: list[int] = []
        released: list[int] = []
        for row in await _locked(db, order_nos):
            if row["deducted"] is not None:
                answers[row["order_no"]] = Deducted.model_validate_json(row["deducted"])
            else:
                (new if row["released_pieces"] is None else released).append(row["order_no"])
        if new:
            answers |= await _deduct(db, new)
        if released:
            answers |= await _all_gone(db, released)
    return [answers.get(order_no, Deducted(pieces=0)) for order_no in order_nos]


async def _deduct(db: Connection, order_nos: Sequence[int]) -> dict[int, Deducted]:
    lines = await db.fetch(_OPEN_LINES, order_nos)
    left = await _lock_stock(db, ((line["sku"], line["channel"]) for line in lines))
    by_order: dict[int, list[Row]] = defaultdict(list)
    for line in lines:
        by_order[line["order_no"]].append(line)
    changes = CounterChanges()
    # Orders are served in the order of their arrival, which decides who gets the last promised piece.
    answers = {order_no: _deduct_one(by_order[order_no], left, changes) for order_no in order_nos}
    await changes.write(db, "deduct")
    await _keep(db, answers)
    return answers


async def _keep(db: Connection, answers: Mapping[int, Deducted]) -> None:
    """Keep these as the answers to a deduction, from now on."""
    if answers:
        await db.execute(_DEDUCTED, list(answers), [answer.model_dump_json() for answer in answers.values()])


async def _all_gone(db: Connection, order_nos: Sequence[int]) -> dict[int, Deducted]:
    """The answers to a deduction for orders that were released: nothing is taken, and every line is lacking."""
    short: dict[int, list[Shortage]] = {order_no: [] for order_no in order_nos}
    for line in await db.fetch(_LINES, order_nos):
        lacking = Shortage(line_no=line["line_no"], sku=line["sku"], wanted=line["quantity"], available=0)
        short[line["order_no"]].append(lacking)
    return {order_no: Deducted(pieces=0, short=lines) for order_no, lines in short.items()}


def _deduct_one(lines: Iterable[Row], left: Counter[Counted], changes: CounterChanges) -> Deducted:
    """Deduct one order's lines. Reserved ones are sold; promised ones are taken now, each if there is enough for it."""
    pieces, short = 0, []
    for line in lines:
        counter, quantity = (line["sku"], line["channel"]), line["quantity"]
        promised = line["state"] == "PROMISED"
        if promised and left[counter] < quantity:
            changes.end(line, "RELEASED")
            short.append(Shortage(line_no=line["line_no"], sku=line["sku"], wanted=quantity, available=left[counter]))
            continue
        changes.end(line, "DEDUCTED")
        changes.move(line, DEDUCT_PROMISED if promised else DEDUCT_RESERVED)
        left[counter] -= quantity if promised else 0
        pieces += quantity
    return Deducted(pieces=pieces, short=short)


async def restock(engine: AsyncEngine, requests: Sequence[Restock]) -> list[Moved]:
    asked: dict[tuple[int, str], Restock] = {}
    for request in requests:
        asked.setdefault((int(request.order_no), request.reason_key), request)
    async with transaction(engine) as db:
        rows = await _locked(db, [order_no for order_no, _ in asked])
        new = await _claim_restocks(db, asked, {row["order_no"] for row in rows if _is_unsold(row)})
        if new:
            await _restock(db, new)
        rows = await db.fetch(_RESTOCKED, *map(list, zip(*asked, strict=True)))
    pieces = {(row["order_no"], row["reason_key"]): row["pieces"] for row in rows}
    return [Moved(pieces=pieces[int(request.order_no), request.reason_key]) for request in requests]


def _is_unsold(row: Row) -> bool:
    """Whether a release has brought back all that was sold, so that nothing is left to restock."""
    nothing_sold = row["deducted"] is not None and Deducted.model_validate_json(row["deducted"]).pieces == 0
    return nothing_sold and row["released_pieces"] is not None


async def _claim_restocks(
    db: Connection, asked: Mapping[tuple[int, str], Restock], unsold: Collection[int]
) -> list[Restock]:
    """Claim the keys of these restocks; returns those that were not done before and have something to bring back."""
    totals = [
        0 if order_no in unsold else sum(line.quantity for line in request.lines)
        for (order_no, _), request in asked.items()
    ]
    rows = await db.fetch(_CLAIM_RESTOCKS, *map(list, zip(*asked, strict=True)), totals)
    return [asked[row["order_no"], row["reason_key"]] for row in rows if row["order_no"] not in unsold]


async def _restock(db: Connection, requests: Iterable[Restock]) -> None:
    wanted = {(int(request.order_no), line.line_no, line.sku) for request in requests for line in request.lines}
    every = [(int(request.order_no), line) for request in requests for line in request.lines]
    if any(line.quantity < 1 for _, line in every):
        raise ValueError("a restock brings back one piece of a line or more")
    rows = await db.fetch(
        _BRING_BACK,
        [order_no for order_no, _ in every],
        [line.line_no for _, line in every],
        [line.sku for _, line in every],
        [line.quantity for _, line in every],
    )
    found = {(row["order_no"], row["line_no"], row["sku"]) for row in rows}
    for order_no, line_no, sku in wanted - found:
        raise ValueError(f"order {order_no} took no {sku} for line {line_no}: none goes back")
    changes = CounterChanges()
    for row in rows:
        changes.move(row, RESTOCK)
    await _lock_stock(db, ((row["sku"], row["channel"]) for row in rows))
    await changes.write(db, "restock")


async def _locked(db: Connection, order_nos: Iterable[int]) -> Sequence[Row]:
    """The orders' rows, locked in the order of their numbers and returned in the order of their arrival."""
    arrival = {order_no: n for n, order_no in reversed(list(enumerate(order_nos)))}
    rows = await db.fetch(_ORDERS, list(arrival))
    return sorted(rows, key=lambda row: arrival[row["order_no"]])


async def _lock_stock(db: Connection, counters: Iterable[Counted]) -> Counter[Counted]:
    """Lock the counters, and return how much of each is available."""
    wanted = sorted(set(counters))
    rows = await db.fetch(_STOCK, [sku for sku, _ in wanted], [channel for _, channel in wanted]) if wanted else []
    return Counter({(row["sku"], row["channel"]): row["available"] for row in rows})
