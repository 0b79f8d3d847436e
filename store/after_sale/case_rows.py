"""Reads the rows of after-sale cases."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Row, Text, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.after_sale.case import (
    ENDINGS,
    AskAfterSale,
    CaseFacts,
    CaseKind,
    CaseStatus,
    Inspect,
    StartAfterSale,
    clocks_action,
)
from domain.after_sale.request import Askable
from domain.order.order_number import parse
from domain.order.pieces import Pieces
from domain.order.product import DeliveryMode
from domain.order.status import Status
from store.orders.closings import pieces_key
from store.rows.lines import read_lines
from store.rows.pieces_left import terms_of, what_is_left
from store.rows.sub_orders import sub_order
from store.tables import after_sale_keys, after_sale_lines, after_sales, piece_refunds

CaseRow = Row[Any]

# JSON is selected as text, since the strict models parse it themselves.
_COLUMNS: list[Any] = [
    cast(column, Text).label(column.name) if isinstance(column.type, JSONB) else column for column in after_sales.c
]


async def case_row(db: AsyncConnection, case_no: str) -> CaseRow | None:
    return (await db.execute(select(*_COLUMNS).where(after_sales.c.case_no == case_no))).first()


async def case_lines(db: AsyncConnection, case_no: str) -> list[Pieces]:
    of_case = select(after_sale_lines).where(after_sale_lines.c.case_no == case_no)
    rows = await db.execute(of_case.order_by(after_sale_lines.c.line_no))
    return [Pieces(line_no=row.line_no, quantity=row.quantity) for row in rows]


def goods_to_come(row: CaseRow) -> bool:
    """Whether the case is about goods that the buyer has not sent back yet."""
    return CaseKind(row.kind) is CaseKind.RETURN_AND_REFUND and row.sent_back_at is None


async def facts_of_case(db: AsyncConnection, row: CaseRow) -> CaseFacts:
    status = CaseStatus(row.status)
    lines = await read_lines(db, row.order_no)
    return CaseFacts(
        case_no=row.case_no,
        order_no=str(row.order_no),
        sub_order_no=row.sub_order_no,
        merchant=row.merchant,
        kind=CaseKind(row.kind),
        status=status,
        revision=row.revision,
        lines=await case_lines(db, row.case_no),
        since=row.since,
        due_at=row.due_at,
        inspected=Inspect.model_validate_json(row.inspected) if row.inspected else None,
        gifts=[line.line_no for line in lines if line.gift is not None and line.gift.returnable],
        clocks_action=clocks_action(status, await terms_of(db, row.order_no)),
        amount_fen=row.amount_fen,
        said=row.said,
    )


async def start_of(db: AsyncConnection, row: CaseRow) -> StartAfterSale:
    """The start input of a case's run, which goes on from the state that the case is in."""
    ask = AskAfterSale(kind=CaseKind(row.kind), lines=await case_lines(db, row.case_no), reason=row.reason)
    return StartAfterSale(case_no=row.case_no, sub_order_no=row.sub_order_no, ask=ask)


async def askable(db: AsyncConnection, sub_order_no: str) -> Askable:
    """What a request for after-sale is judged by. To decide on one, the caller must have locked the order first."""
    sub = await sub_order(db, sub_order_no)
    left, _ = await what_is_left(db, sub)
    taken = await _taken(db, sub_order_no)
    lines = await read_lines(db, sub.order_no)
    of_sub = after_sale_keys.c.sub_order_no == sub_order_no
    cases = select(func.count()).join(after_sales, after_sales.c.case_no == after_sale_keys.c.case_no).where(of_sub)
    return Askable(
        status=Status(sub.status),
        virtual=DeliveryMode(sub.delivery_mode) is DeliveryMode.VIRTUAL,
        received_at=sub.received_at,
        window_s=(await terms_of(db, sub.order_no)).after_sale_window_s,
        left={one.line_no: one.quantity - taken[one.line_no] for one in left},
        gifts=[line.line_no for line in lines if line.gift is not None],
        cases=int(await db.scalar(cases) or 0),
    )


async def _taken(db: AsyncConnection, sub_order_no: str) -> dict[int, int]:
    """The pieces of each line that are in open cases, by line number. A case whose refund is decided is left out: its
    pieces count as gone back already."""
    number = parse(sub_order_no)
    key = func.concat(pieces_key(sub_order_no, ""), after_sales.c.case_no)
    decided = select(piece_refunds.c.key).where(piece_refunds.c.key == key).exists()
    found = await db.execute(
        select(after_sale_lines.c.line_no, after_sale_lines.c.quantity)
        .join(after_sales, after_sales.c.case_no == after_sale_lines.c.case_no)
        .where(after_sales.c.order_no == int(number.order_no), after_sales.c.idx == number.sub)
        .where(after_sales.c.status.not_in([ending.value for ending in ENDINGS]), ~decided)
    )
    taken: dict[int, int] = defaultdict(int)
    for line_no, quantity in found:
        taken[line_no] += quantity
    return taken
