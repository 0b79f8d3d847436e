"""A shop's database that nobody works in any more, to be corrupted copy by copy."""

from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import httpx
from temporalio.client import Client

from simulation.chaos.auditor.audit import Auditor
from simulation.chaos.auditor.seen import Seen
from simulation.chaos.auditor.violation import Violation
from simulation.chaos.goods import AMPLE, CODE, HILL, MERCHANTS
from simulation.chaos.plan import Parcel, Plan
from simulation.chaos.processes import Processes


def with_one_of_each(plan: Plan) -> Plan:
    """What a corruption needs comes about whatever the timing: nobody disturbs these orders."""
    lamps = ((AMPLE[HILL][0], 2),)  # from a warehouse
    sale = {"lines": lamps, "payment": "once", "pays_after_s": 0.0, "asks_at_once": 1, "walks_away": False}
    calm = {"cancels_after_s": None, "operation": None, "risk_approved": True}
    received = Parcel(ship_after_s=0.0, refused=False, ship_twice=False, delivered=True, confirmed=True, reviewed=True)
    sold = dict.fromkeys(MERCHANTS, received)
    refused = dict.fromkeys(MERCHANTS, replace(received, refused=True))
    wanted: list[dict[str, Any]] = [
        {"parcels": sold, "coupon": "C-SURE"},
        {"parcels": sold, "lines": ((CODE, 1),)},
        {"parcels": refused},
        {"parcels": sold, "payment": "twice"},
    ]
    made = list(plan.orders)
    for at, wish in enumerate(wanted):
        made[at] = replace(made[at], **{**sale, **calm, "coupon": None, **wish})
    return replace(plan, orders=tuple(made), coupons={one.coupon: one.buyer_id for one in made if one.coupon})


@dataclass
class Ruins:
    """The shop's database, its parties and its runs; nobody works in it any more."""

    processes: Processes
    client: Client
    http: httpx.AsyncClient
    seen: Seen
    copies: int = 0

    async def copy(self) -> "Copy":
        """A database of its own with all that is in the shop's."""
        self.copies += 1
        name = f"copy_{self.copies}"
        admin = await asyncpg.connect(self._dsn("template1"))
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE postgres STRATEGY FILE_COPY")
        finally:
            await admin.close()
        return Copy(self, self._dsn(name))

    def _dsn(self, name: str) -> str:
        return self.processes.dsn.replace("/postgres?", f"/{name}?")


@dataclass
class Copy:
    ruins: Ruins
    dsn: str

    async def corrupt(self, *statements: str) -> None:
        """What no ledger would do: no trigger, no constraint. Each statement must change something."""
        db = await asyncpg.connect(self.dsn)
        try:
            await db.execute("SET session_replication_role = replica")
            await db.execute(_DROP_CONSTRAINTS)
            for statement in statements:
                changed = await db.execute(statement)
                assert not changed.endswith(" 0"), f"nothing to corrupt: {statement}"
        finally:
            await db.close()

    async def violations(self, *, seen: Seen | None = None, http: httpx.AsyncClient | None = None) -> list[Violation]:
        auditor = Auditor(self.dsn, http or self.ruins.http, seen or self.ruins.seen)
        return await auditor.final(self.ruins.client)

    async def read(self, query: str) -> Any:
        db = await asyncpg.connect(self.dsn)
        try:
            return await db.fetchval(query)
        finally:
            await db.close()


_DROP_CONSTRAINTS = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
    WHERE contype IN ('c', 'f', 'u') AND connamespace = 'public'::regnamespace
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', one.of, one.conname); END LOOP;
END $$
"""
