"""Members' points in PostgreSQL: they are earned when a sub-order is received, and taken back as it is refunded."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message, Utc
from domain.order.cart import Terms
from store.database.log_and_outbox import ALARM, tell
from store.rows.pieces_left import gone_back
from store.rows.sub_orders import SubOrderRow
from store.tables import point_entries

FEN_PER_YUAN = 100

_WRITE = insert(point_entries)


class PointEntry(Message):
    """One change of a member's points. `entry` is EARNED, TAKEN_BACK or SPENT; `short` is how many points could not be
    taken back because the member had spent them."""

    key: str
    entry: str
    points: int
    short: int
    sub_order_no: str | None
    at: Utc


class Points(Message):
    """A member's balance, and the latest entries that it is made of, newest first."""

    balance: int
    entries: list[PointEntry]


class PostgresPoints:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of_buyer(self, buyer_id: int, most: int = 20) -> Points:
        """The balance, and the last `most` entries."""
        of_buyer = select(point_entries).where(point_entries.c.buyer_id == buyer_id)
        async with self._engine.connect() as db:
            rows = await db.execute(of_buyer.order_by(point_entries.c.at.desc(), point_entries.c.key).limit(most))
            return Points(
                balance=await _balance(db, buyer_id),
                entries=[PointEntry(**{name: getattr(row, name) for name in PointEntry.model_fields}) for row in rows],
            )


async def earn_points(db: AsyncConnection, sub: SubOrderRow, at: datetime) -> None:
    """Earn the points of a received sub-order: for what is paid for its goods, whole yuan only. Idempotency key: the
    sub-order. Its order's row must be locked."""
    points = await _deserved(db, sub)
    if points:
        await _write(db, f"earn/{sub.sub_order_no}", "EARNED", points, 0, sub, at)


async def points_to_take_back(db: AsyncConnection, sub: SubOrderRow, more_back_fen: int = 0) -> int:
    """How many points a sub-order has earned beyond what is still paid for its goods, once `more_back_fen` are refunded
    as well."""
    held = await db.scalar(
        select(func.coalesce(func.sum(point_entries.c.points - point_entries.c.short), 0)).where(
            point_entries.c.sub_order_no == sub.sub_order_no
        )
    )
    return max(int(held or 0) - await _deserved(db, sub, more_back_fen), 0) if held else 0


async def take_points_back(db: AsyncConnection, key: str, sub: SubOrderRow, at: datetime) -> None:
    """Take back the points of what was refunded of a sub-order. Idempotency key: `key`, the refund's.

    Never more are taken than the member has: what is short is kept with the entry and raises an alarm. It waits for the
    member's lock, so the transaction must not have noted anything before (`store.database.log_and_outbox.note`)."""
    wanted = await points_to_take_back(db, sub)
    if not wanted:
        return
    # The refund of another order of this member must not count the same points.
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"points/{sub.buyer_id}", 0))))
    taken = min(wanted, max(await _balance(db, sub.buyer_id), 0))
    await _write(db, f"take-back/{key}/{sub.idx}", "TAKEN_BACK", -taken, wanted - taken, sub, at)
    if taken < wanted:
        said = f"buyer {sub.buyer_id} has spent them: {wanted - taken} of {wanted} points could not be taken back"
        body = {"order_no": str(sub.order_no), "subject": sub.sub_order_no, "topic": "points", "text": said}
        await tell(db, ALARM, f"points/{key}/{sub.idx}", body)


async def _deserved(db: AsyncConnection, sub: SubOrderRow, more_back_fen: int = 0) -> int:
    back = await gone_back(db, sub)
    per_yuan = Terms.model_validate_json(back.terms).points_per_yuan
    return int(sub.pay_fen - back.goods_fen - more_back_fen) // FEN_PER_YUAN * per_yuan


async def _balance(db: AsyncConnection, buyer_id: int) -> int:
    total = func.coalesce(func.sum(point_entries.c.points), 0)
    return int(await db.scalar(select(total).where(point_entries.c.buyer_id == buyer_id)) or 0)


async def _write(
    db: AsyncConnection, key: str, entry: str, points: int, short: int, sub: SubOrderRow, at: datetime
) -> None:
    of_sub = {"buyer_id": sub.buyer_id, "order_no": sub.order_no, "sub_order_no": sub.sub_order_no}
    row = {"key": key, "entry": entry, "points": points, "short": short, "at": at, **of_sub}
    await db.execute(_WRITE, row)
