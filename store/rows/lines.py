"""An order's lines in PostgreSQL: they are written once, with the order, and read as they were sold."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Row, Text, bindparam, cast, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.order.lines import GiftOf, LineShare, OrderLine
from domain.order.snapshot import TradeSnapshot
from store.tables import order_line_shares, order_lines

_APART = {"gift", "snapshot", "shares"}

_KEEP = insert(order_lines)
_KEEP_SHARES = insert(order_line_shares)
_LINES = (
    select(
        order_lines,
        cast(order_lines.c.gift, Text).label("gift_json"),
        cast(order_lines.c.snapshot, Text).label("snapshot_json"),
    )
    .where(order_lines.c.order_no == bindparam("of_order"))
    .order_by(order_lines.c.line_no)
)
_OPEN_LINES = _LINES.where(order_lines.c.closed == 0)
_SHARES = (
    select(order_line_shares)
    .where(order_line_shares.c.order_no == bindparam("of_order"))
    .order_by(order_line_shares.c.promotion_id)
)


async def keep_lines(db: AsyncConnection, order_no: int, lines: Iterable[OrderLine]) -> None:
    """Write the lines of a new order, with every promotion's share of each."""
    rows, shares = [], []
    for line in lines:
        own = {name: part.model_dump() if part else None for name, part in _parts(line).items()}
        rows.append({"order_no": order_no, **line.model_dump(exclude=_APART), **own})
        shares += [{"order_no": order_no, "line_no": line.line_no, **share.model_dump()} for share in line.shares]
    await db.execute(_KEEP, rows)
    if shares:
        await db.execute(_KEEP_SHARES, shares)


async def read_lines(db: AsyncConnection, order_no: int, *, open_only: bool = False) -> list[OrderLine]:
    """An order's lines, in the order of their numbers; with `open_only` only those that were not closed before the
    split."""
    rows = (await db.execute(_OPEN_LINES if open_only else _LINES, {"of_order": order_no})).all()
    shares = await _shares(db, order_no)
    return [_line(row, shares[row.line_no]) for row in rows]


def _parts(line: OrderLine) -> dict[str, GiftOf | TradeSnapshot | None]:
    return {"gift": line.gift, "snapshot": line.snapshot}


async def _shares(db: AsyncConnection, order_no: int) -> dict[int, list[LineShare]]:
    shares: dict[int, list[LineShare]] = defaultdict(list)
    for row in await db.execute(_SHARES, {"of_order": order_no}):
        values = {name: getattr(row, name) for name in LineShare.model_fields}
        shares[row.line_no].append(LineShare(**values))
    return shares


def _line(row: Row[tuple[object, ...]], shares: list[LineShare]) -> OrderLine:
    plain = {name: getattr(row, name) for name in OrderLine.model_fields if name not in _APART}
    return OrderLine.model_validate(
        {
            **plain,
            "shares": shares,
            "gift": GiftOf.model_validate_json(row.gift_json) if row.gift_json else None,
            "snapshot": TradeSnapshot.model_validate_json(row.snapshot_json) if row.snapshot_json else None,
        },
        strict=False,
    )
