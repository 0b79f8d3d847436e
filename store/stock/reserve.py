"""`reserve`, for many orders in one transaction.

The first attempt grants everything in one statement (two where a SKU has a purchase limit). A CHECK or a key undoes all
of it if something does not fit: too little stock, an order that has asked before, a SKU nobody knows, more than a
limit. The second attempt takes care: it locks, looks, and grants one order after the other.

Locks are taken in one order everywhere: the orders by number, the limits by SKU, the stock by SKU and channel.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.grant import GRANTED, BatchStock, Counted, Limit, is_taken
from domain.order.reservation import Reserved, ReserveStock
from store.database.asyncpg_direct import (
    Connection,
    Row,
    array,
    autocommit,
    is_constraint,
    microseconds,
    numbers,
    texts,
    transaction,
)
from store.stock import reserve_sql as sql

Orders = Mapping[int, ReserveStock]

CAREFUL_S = 1.0


class Reserving:
    """Reserves a batch in one transaction: all at once if that is likely to fit, with care otherwise."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # What was seen last only decides what is tried first.
        self._careful_until = 0.0
        self._limited: set[str] = set()

    async def __call__(self, requests: Sequence[ReserveStock]) -> list[Reserved]:
        """Answers in the order of the requests. The first request of an order is the one that counts."""
        orders: dict[int, ReserveStock] = {}
        for request in requests:
            orders.setdefault(int(request.order_no), request)
        if await self._all_at_once(orders):
            return [GRANTED] * len(requests)
        async with transaction(self._engine) as db:
            answers, limited = await with_care(db, orders)
        if limited <= self._limited:
            # What did not fit now is unlikely to fit in the next moment.
            self._careful_until = monotonic() + CAREFUL_S
        self._limited |= limited
        return [answers[int(request.order_no)] for request in requests]

    async def _all_at_once(self, orders: Orders) -> bool:
        """Grant everything; False if it did not fit, or is unlikely to, and then nothing was done."""
        if monotonic() < self._careful_until:
            return False
        try:
            if self._limited.isdisjoint(line.sku for order in orders.values() for line in order.lines):
                async with autocommit(self._engine) as db:
                    await db.execute(sql.ALL_AT_ONCE, *_lines(orders), *_heads(orders))
            else:
                async with transaction(self._engine) as db:
                    await db.execute(sql.LOCK, *_heads(orders), *_counters(orders))
                    await db.execute(sql.ALL_WITHIN_LIMITS, *_lines(orders), *_buyers(orders))
        except Exception as refused:
            if not is_constraint(refused):
                raise
            return False
        return True


async def with_care(db: Connection, orders: Orders) -> tuple[dict[int, Reserved], set[str]]:
    """Within a transaction, claim the keys, lock the stock, and grant in the order of arrival. Returns the answers, and
    which SKUs have a limit."""
    rows = await db.fetch(sql.LOOK, *_heads(orders), *_counters(orders))
    claimed = {row["order_no"] for row in rows if row["order_no"] is not None}
    answers = await _first_answers(db, {no: asked for no, asked in orders.items() if no not in claimed})
    new = {order_no: request for order_no, request in orders.items() if order_no in claimed}
    if not new:
        return answers, set()
    sellable = await _sellable(db, new, rows)
    fresh = {order_no: sellable.ask(request) for order_no, request in new.items()}
    await _write(db, new, fresh)
    return answers | fresh, set(sellable.limits)


async def _first_answers(db: Connection, orders: Orders) -> dict[int, Reserved]:
    """The answers for orders that have asked before: what they were told then, unless they ask for other lines now."""
    if not orders:
        return {}
    held: dict[int, set[tuple[int, str, int]]] = defaultdict(set)
    for row in await db.fetch(sql.HELD, list(orders)):
        held[row["order_no"]].add((row["line_no"], row["sku"], row["quantity"]))
    return {row["order_no"]: _told(row, orders, held) for row in await db.fetch(sql.KNOWN, list(orders))}


def _told(row: Row, orders: Orders, held: Mapping[int, set[tuple[int, str, int]]]) -> Reserved:
    if row["outcome"] == "REFUSED":
        return Reserved.model_validate_json(row["refusal"])
    if row["released_pieces"] is not None:
        return Reserved(short=[], released_before=True)
    order_no = row["order_no"]
    asked = {(line.line_no, line.sku, line.quantity) for line in orders[order_no].lines}
    return GRANTED if asked == held[order_no] else Reserved(short=[], other_lines=True)


async def _sellable(db: Connection, orders: Orders, rows: Sequence[Row]) -> BatchStock:
    limits = {row["sku"]: Limit(row["pieces"], row["window_s"]) for row in rows if row["window_s"] is not None}
    available = {(row["sku"], row["channel"]): row["pieces"] for row in rows if row["channel"] is not None}
    return BatchStock(available, limits, await _bought(db, orders, limits) if limits else {})


async def _bought(db: Connection, orders: Orders, limits: Mapping[str, Limit]) -> dict[tuple[str, str], int]:
    """What the buyers have of the limited SKUs, by order and SKU. It is read in a statement of its own, after the lock,
    so that it sees what the lock's earlier holders have written."""
    asked = [
        (order, sku)
        for order in orders.values()
        if order.buyer_id
        for sku in {line.sku for line in order.lines}
        if sku in limits
    ]
    rows = await db.fetch(
        sql.BOUGHT,
        list(range(len(asked))),
        [order.buyer_id for order, _ in asked],
        [sku for _, sku in asked],
        [order.at for order, _ in asked],
        [limits[sku].window_s for _, sku in asked],
    )
    return {(asked[row["n"]][0].order_no, asked[row["n"]][1]): row["pieces"] for row in rows}


async def _write(db: Connection, orders: Orders, answers: Mapping[int, Reserved]) -> None:
    granted = {order_no: orders[order_no] for order_no, answer in answers.items() if answer is GRANTED}
    if granted:
        await db.execute(sql.GRANT, *_lines(granted))
    refused = {order_no: answer for order_no, answer in answers.items() if answer is not GRANTED}
    if refused:
        await db.execute(sql.REFUSE, list(refused), [answer.model_dump_json() for answer in refused.values()])


# The parameters that the statements unnest.


def _counters(orders: Orders) -> tuple[str, str, str]:
    """The SKUs whose limits are locked, and the SKUs and channels whose stock is, all in the order of locking."""
    wanted: list[Counted] = sorted({(line.sku, order.channel) for order in orders.values() for line in order.lines})
    skus = sorted({sku for sku, _ in wanted})
    return texts(skus), texts(sku for sku, _ in wanted), texts(channel for _, channel in wanted)


def _buyers(orders: Orders) -> tuple[str, str]:
    """The buyer and the time of each line's order, in the order of the lines."""
    every = [order for order in orders.values() for _ in order.lines]
    return numbers(order.buyer_id for order in every), microseconds(order.at for order in every)


def _heads(orders: Orders) -> tuple[str, str, str]:
    buyers = numbers(order.buyer_id for order in orders.values())
    return numbers(orders), buyers, microseconds(order.at for order in orders.values())


def _lines(orders: Orders) -> tuple[str, str, str, str, str, str]:
    every = [(order_no, order.channel, line) for order_no, order in orders.items() for line in order.lines]
    return (
        numbers(order_no for order_no, _, _ in every),
        numbers(line.line_no for _, _, line in every),
        texts(line.sku for _, _, line in every),
        texts(channel for _, channel, _ in every),
        numbers(line.quantity for _, _, line in every),
        array("t" if is_taken(line) else "f" for _, _, line in every),
    )
