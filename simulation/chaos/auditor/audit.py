"""The auditor: a snapshot at any moment must balance, and at the end everything must have ended."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from temporalio.client import Client

from simulation.chaos.auditor import coupons, evidence, money, orders, outside, parties, runs, stock
from simulation.chaos.auditor.seen import Checkout, Seen
from simulation.chaos.auditor.violation import Check, Violation

ALWAYS: dict[str, tuple[Check, ...]] = {
    stock.PROMISE: stock.ALWAYS,
    money.PROMISE: money.ALWAYS,
    coupons.PROMISE: coupons.ALWAYS,
    orders.FOLDED: orders.STATUS,
    orders.TWICE: orders.ONCE,
    orders.LOST: orders.PLACED,
    evidence.PROMISE: evidence.PLACED,
}
AT_THE_END: dict[str, tuple[Check, ...]] = {
    stock.PROMISE: stock.AT_THE_END,
    money.PROMISE: money.AT_THE_END,
    coupons.PROMISE: coupons.AT_THE_END,
    orders.FOR_EVER: orders.ENDED,
}
MOST_ROWS = 3  # how many rows of one violation are kept as evidence
# How much there is to check: the number of rows in these tables.
FACTS = "SELECT {}".format(
    " + ".join(
        f"(SELECT count(*) FROM {table})"
        for table in (
            *("orders", "order_lines", "sub_orders", "sub_order_lines", "order_events", "placements", "captures"),
            *("payment_notifications", "refunds", "journal_legs", "stock_reservations", "stock_entries"),
            *("physical_reservations", "coupon_entries", "outbox"),
        )
    )
)


@dataclass
class Auditor:
    """Looks at the database and the parties. `dsn` is the database's own address, not that of the proxy which the
    system under test uses."""

    dsn: str
    http: httpx.AsyncClient  # for the outside parties
    seen: Seen
    violations: list[Violation] = field(default_factory=list)
    snapshots: int = 0
    checks: int = 0
    facts: int = 0

    async def snapshot(self) -> list[Violation]:
        """What does not balance in the database as it is at one moment, while everything goes on."""
        placed = self.seen.placed()  # read first: what is acknowledged during the look need not be in it
        found, rows = await self._look(ALWAYS, placed)
        statement = await outside.Statement.read(self.http)
        found += outside.at_any_moment(statement, rows["captures"], rows["refunds"])
        self.snapshots += 1
        return self._keep(found)

    async def final(self, client: Client) -> list[Violation]:
        """What is not as it should be when everything has ended."""
        every = {promise: ALWAYS.get(promise, ()) + AT_THE_END.get(promise, ()) for promise in {**ALWAYS, **AT_THE_END}}
        found, rows = await self._look(every, self.seen.placed())
        statement = await outside.Statement.read(self.http)
        merchants = {row["merchant"] for row in rows["parcels"]}
        at_merchants = await outside.handed_over(self.http, merchants)
        found += outside.at_any_moment(statement, rows["captures"], rows["refunds"])
        found += outside.at_the_end(statement, rows["captures"], rows["refunds"], rows["provider"], rows["worth"])
        found += outside.parcels(at_merchants, rows["parcels"])
        found += outside.codes(await outside.granted(self.http, merchants), rows["parcels"])
        found += parties.checkouts(self.seen, rows["keys"], rows["orders"], rows["lines"])
        found += parties.acts(self.seen, rows["orders"], rows["parts"])
        found += parties.captures(self.seen, rows["captures"])
        found += await runs.unfinished(client)
        self.snapshots += 1
        return self._keep(found)

    async def _look(
        self, promises: Mapping[str, Iterable[Check]], placed: Mapping[str, Checkout]
    ) -> tuple[list[Violation], dict[str, list[Any]]]:
        """Run the checks in one transaction, on one snapshot of everything; returns the violations and the rows for
        further checks."""
        db = await asyncpg.connect(self.dsn, timeout=10)
        try:
            async with db.transaction(isolation="repeatable_read", readonly=True):
                found = []
                for promise, checks in promises.items():
                    for what, query in checks:
                        rows = await db.fetch(query)
                        self.checks += 1
                        found += [Violation(promise, what, str(dict(row))) for row in rows[:MOST_ROWS]]
                read = {name: list(await db.fetch(query)) for name, query in _READ.items()}
                found += evidence.broken_chains(read["links"], read["tips"])
                self.facts = await db.fetchval(FACTS)
        finally:
            await db.close(timeout=5)
        found += parties.lost_placements(placed, read["orders"])
        found += parties.oversold(self.seen, read["sold"])
        return found, read

    def _keep(self, found: list[Violation]) -> list[Violation]:
        known = {(one.promise, one.what) for one in self.violations}
        self.violations += [one for one in found if (one.promise, one.what) not in known]
        return found


_READ = {
    "orders": parties.ORDERS,
    "lines": parties.LINES,
    "parts": parties.PARTS,
    "keys": parties.KEYS,
    "sold": parties.SOLD,
    "captures": outside.CAPTURES,
    "refunds": outside.REFUNDS,
    "provider": outside.PROVIDER,
    "worth": outside.WORTH,
    "parcels": outside.PARCELS,
    "links": evidence.LINKS,
    "tips": evidence.TIPS,
}


async def keep_looking(auditor: Auditor, every_s: float) -> None:
    """Take snapshot after snapshot, until cancelled. A database that is being killed is looked at again later."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await auditor.snapshot()
        except (OSError, asyncpg.PostgresError, httpx.HTTPError, TimeoutError):
            continue
        except (asyncpg.InterfaceError, asyncpg.InternalClientError):
            continue  # asyncpg raises these when the server dies in the middle of a query
