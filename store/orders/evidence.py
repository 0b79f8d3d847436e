"""Verifying evidence in PostgreSQL: reads what is stored of an order, and its chain from the beginning."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text, cast, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.order.lines import OrderLine
from domain.records.evidence import ChainEvidence, HistoryEvidence, Link, Verified, as_placed, chain_of, totals
from domain.records.verification import (
    ChainCheck,
    Kept,
    Stored,
    history_evidence,
    line_evidence,
    order_problems,
    read_body,
)
from store.database.engine import looking
from store.rows.lines import read_lines
from store.tables import evidence_tips, order_events, order_lines, orders, product_versions

PLACE = "PLACE"
_PAGE = 1_000  # links
_BEFORE_ALL = -(2**63)
_LINK = [order_events.c[name] for name in Link.model_fields]


class PostgresEvidence:
    """Verifies an order's evidence. It only reads, and all that one verification reads is of one instant, while
    orders go on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._looking = looking(engine)

    async def verify(self, order_no: str, history: Mapping[int, str] | None = None) -> Verified | None:
        """Whether the order's evidence is what was written when it was placed; None when there is no such order.

        `history`: the digests in the workflow's history by line number, empty when it is gone."""
        number = int(order_no)
        async with self._looking.connect() as db:
            body = await _body(db, number)
            stored = await _stored(db, number)
            if stored is None and body is None:
                return None
            chain = await _chain(db, chain_of(number))
            astray = await _astray(db, number)
        placed_lines = stored.lines if stored else []
        lines = [line_evidence(line, stored, body) for line in placed_lines] if stored else []
        problems = order_problems(stored, body) + astray
        told = history_evidence(placed_lines, history)
        intact = not problems and not any(line.problems for line in lines) and chain.whole
        return Verified(
            order_no=order_no,
            intact=intact and told is not HistoryEvidence.DIFFERS,
            lines=lines,
            problems=problems,
            chain=chain,
            history=told,
        )


async def _body(db: AsyncConnection, number: int) -> Mapping[str, Any] | None:
    """The body of the log's entry that says what was placed."""
    events = order_events.c
    placing = select(events.body).where(events.order_no == number, events.action == PLACE, events.body.is_not(None))
    text = await db.scalar(placing.order_by(events.id).limit(1))
    return read_body(text) if text else None


async def _stored(db: AsyncConnection, number: int) -> Stored | None:
    row = (await db.execute(select(orders).where(orders.c.order_no == number))).first()
    if row is None:
        return None
    lines = await read_lines(db, number)
    own = totals(row.amount_due_fen, row.shipping_fen, row.currency, row.coupons, row.rules)
    return Stored(
        totals={"buyer_id": row.buyer_id, **own},
        lines=lines,
        facts={line.line_no: as_placed(line) for line in lines},
        copies=await _copies(db, number),
        versions=await _versions(db, lines),
    )


async def _copies(db: AsyncConnection, number: int) -> dict[int, dict[str, Any]]:
    copies = select(order_lines.c.line_no, order_lines.c.snapshot).where(
        order_lines.c.order_no == number, order_lines.c.snapshot.is_not(None)
    )
    return {row.line_no: row.snapshot for row in await db.execute(copies)}


async def _versions(db: AsyncConnection, lines: Iterable[OrderLine]) -> dict[tuple[str, int], Kept]:
    versions = product_versions.c
    page = cast(versions.product, Text).label("page")
    kept = select(versions.sku, versions.version, versions.snapshot, page).where(
        tuple_(versions.sku, versions.version).in_({(line.sku, line.version) for line in lines})
    )
    return {(row.sku, row.version): Kept(json.loads(row.page), row.snapshot) for row in await db.execute(kept)}


async def _astray(db: AsyncConnection, number: int) -> list[str]:
    """The entries that somebody put beside the chain: following the chain meets none of them."""
    events = order_events.c
    beside = select(events.id).where(events.order_no == number, events.chain != chain_of(number))
    return [f"the log's entry {entry} is in no place of its chain" for entry in await db.scalars(beside)]


async def _chain(db: AsyncConnection, chain: int) -> ChainEvidence:
    tip = (await db.execute(select(evidence_tips).where(evidence_tips.c.chain == chain))).first()
    check, after = ChainCheck(chain), _BEFORE_ALL
    links = select(*_LINK).where(order_events.c.chain == chain).order_by(order_events.c.seq).limit(_PAGE)
    while not check.is_broken:
        rows = (await db.execute(links.where(order_events.c.seq > after))).mappings().all()
        for row in rows:
            check.follow(Link(**row))
            if check.is_broken:
                break
        if len(rows) < _PAGE:
            break
        after = rows[-1]["seq"]
    return check.end((tip.seq, tip.sha256) if tip else (0, ""))
