"""Reads the facts that the risk rules look at."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.order.status import CloseReason
from domain.risk import AssessFacts, Block, BlockKind, Identity, ScreenFacts, UsualFacts
from domain.risk.facts import LineFacts, PastOrder, ReceiptFacts
from domain.risk.identity import phone_neighbours
from domain.risk.settings import RiskSettings
from store.risk import sql


class UnknownOrder(LookupError):
    """Raised when this database has no such order; the activity that assesses it is retried."""


async def screen_facts(
    db: AsyncConnection, order_no: str, identity: Identity, now: datetime, settings: RiskSettings
) -> ScreenFacts:
    """What is known of a checkout before its order exists, or after it does when the step is repeated."""
    marks = [(kind.value, value) for kind, values in identity.marks().items() for value in values]
    found = await db.execute(
        sql.BLOCKS, {"kinds": [kind for kind, _ in marks], "values": [value for _, value in marks]}
    )
    this = {"this_order": int(order_no), "buyer": identity.buyer_id, "device": identity.device_id}
    counts = (await db.execute(sql.COUNTS, {**this, "since": now - timedelta(days=settings.device_days)})).one()
    return ScreenFacts(
        identity=identity,
        now=now,
        blocks=[block_of(row) for row in found.mappings()],
        device_buyers=counts[0] + 1,
        unpaid_orders=counts[1],
    )


async def assess_facts(db: AsyncConnection, order_no: str, settings: RiskSettings) -> AssessFacts:
    """What was known of an order when it was placed. Raises UnknownOrder."""
    row = (await db.execute(sql.ORDER, {"this_order": int(order_no)})).mappings().first()
    if row is None:
        raise UnknownOrder(f"there is no order {order_no}; is it recorded, and is this its database?")
    kin = (await db.execute(sql.KIN, _marks(row, settings))).scalars().all()
    known = await _orders(db, [row["order_no"], *kin])
    subject = known.pop(row["order_no"])
    earlier = sorted(known.values(), key=lambda order: (order.placed_at, order.order_no))
    return AssessFacts(order=subject, earlier=earlier, usual=await _usual(db, row))


def block_of(row: RowMapping) -> Block:
    return Block(
        kind=BlockKind(row["kind"]),
        value=row["value"],
        reason=row["reason"],
        author=row["author"],
        expires_at=row["expires_at"],
    )


def _marks(row: RowMapping, settings: RiskSettings) -> dict[str, Any]:
    first, last = phone_neighbours(row["phone_key"], settings.phone_block_digits)
    neighbours = {"first_phone": first, "last_phone": last, "phone_length": len(row["phone_key"])}
    since = row["placed_at"] - timedelta(days=settings.window_days())
    own = {"device": row["device_id"], "address": row["address_key"], "phone": row["phone_key"]}
    return {**_when(row), **own, **neighbours, "since": since}


def _when(row: RowMapping) -> dict[str, Any]:
    return {"this_order": row["order_no"], "placed_at": row["placed_at"], "buyer": row["buyer_id"]}


async def _orders(db: AsyncConnection, numbers: list[int]) -> dict[int, PastOrder]:
    lines, receipts = await _lines(db, numbers), await _receipts(db, numbers)
    found = await db.execute(sql.ORDERS, {"numbers": numbers})
    return {
        row["order_no"]: PastOrder(
            order_no=str(row["order_no"]),
            buyer_id=row["buyer_id"],
            device_id=row["device_id"],
            address_key=row["address_key"],
            phone_key=row["phone_key"],
            placed_at=row["placed_at"],
            first_of_buyer=not row["had_one"],
            lines=lines[row["order_no"]],
            receipts=receipts[row["order_no"]],
            closed_at=row["closed_at"],
            close_reason=CloseReason(row["close_reason"]) if row["close_reason"] else None,
        )
        for row in found.mappings()
    }


async def _lines(db: AsyncConnection, numbers: list[int]) -> dict[int, list[LineFacts]]:
    found = await db.execute(sql.LINES, {"numbers": numbers})
    lines: dict[int, list[LineFacts]] = defaultdict(list)
    for row in found.mappings():
        lines[row["order_no"]].append(LineFacts.model_validate(dict(row)))
    return lines


async def _receipts(db: AsyncConnection, numbers: list[int]) -> dict[int, list[ReceiptFacts]]:
    found = await db.execute(sql.RECEIPTS, {"numbers": numbers})
    receipts: dict[int, list[ReceiptFacts]] = defaultdict(list)
    for row in found.mappings():
        receipts[row["order_no"]].append(ReceiptFacts.model_validate(dict(row)))
    return receipts


async def _usual(db: AsyncConnection, row: RowMapping) -> UsualFacts:
    """The platform's latest orders before this one, by other buyers only: a buyer's rush must not make itself usual."""
    found = (await db.execute(sql.USUAL, _when(row))).mappings().one()
    return UsualFacts(**{name: int(total) for name, total in found.items()})
