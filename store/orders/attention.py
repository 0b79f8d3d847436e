"""What needs a person, in PostgreSQL: a mark for as long as it lasts, its alarm, and the status that shows it."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.attention import Noted, RecordAttention
from domain.order.status import ENDED, Action, Actor, Refused, act
from store.database.log_and_outbox import ALARM, note, tell
from store.rows.sub_orders import change, facts_of, lock_sub_order
from store.tables import attentions, orders

DIGITS = 19  # of an order's number


class PostgresAttention:
    """Implements `activities.attention.AttentionBook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def record_attention(self, request: RecordAttention) -> Noted:
        async with self._engine.begin() as db:
            if not request.order_no.isdigit() or len(request.order_no) > DIGITS:
                return Noted(changed=await _alarm(db, request))  # money for what is no order of ours
            # First the order, as everywhere: a closing holds it while it ends what needs a person. There may be
            # no order yet, and then nothing to hold.
            status = await db.scalar(
                select(orders.c.status).where(orders.c.order_no == int(request.order_no)).with_for_update()
            )
            if request.while_open and request.text is not None and status in ENDED:
                return Noted(changed=False)
            changed = await (_mark(db, request) if request.text is not None else _unmark(db, request))
            if changed and request.subject and request.subject.isdigit():
                await _show_stuck(db, request.order_no, request.subject)
            return Noted(changed=changed)


async def _mark(db: AsyncConnection, request: RecordAttention) -> bool:
    values = {
        "order_no": int(request.order_no),
        "subject": request.subject,
        "topic": request.topic,
        "text": request.text,
        "since": request.at,
    }
    marked = await db.execute(insert(attentions).values(values).on_conflict_do_nothing())
    if not marked.rowcount:
        return False
    if request.alarm:
        await _alarm(db, request)
    await note(
        db,
        int(request.order_no),
        request.at,
        Actor.PLATFORM,
        Action.GET_STUCK,
        subject=request.subject,
        detail=f"{request.topic}: {request.text}",
    )
    return True


async def _unmark(db: AsyncConnection, request: RecordAttention) -> bool:
    healed = await db.execute(
        delete(attentions).where(
            attentions.c.order_no == int(request.order_no),
            attentions.c.subject == request.subject,
            attentions.c.topic == request.topic,
        )
    )
    if healed.rowcount:
        await note(
            db,
            int(request.order_no),
            request.at,
            Actor.PLATFORM,
            Action.HEAL,
            subject=request.subject,
            detail=request.topic,
        )
    return healed.rowcount > 0


async def _alarm(db: AsyncConnection, request: RecordAttention) -> bool:
    if request.text is None:
        return False
    where = request.subject or request.order_no
    body = {"order_no": request.order_no, "subject": where, "topic": request.topic, "text": request.text}
    await tell(db, ALARM, f"attention/{where}/{request.topic}/{request.at.timestamp():.3f}", body)
    return True


async def _show_stuck(db: AsyncConnection, order_no: str, sub_order_no: str) -> None:
    """A sub-order that awaits shipment and needs a person is in EXCEPTION until nothing needs one any more."""
    row = await lock_sub_order(db, sub_order_no)
    waiting = await db.scalar(
        select(func.count()).where(attentions.c.order_no == int(order_no), attentions.c.subject == sub_order_no)
    )
    moved = act(facts_of(row), Action.GET_STUCK if waiting else Action.HEAL, Actor.PLATFORM)
    if not isinstance(moved, Refused):  # shipped or closed meanwhile: the mark alone tells
        await change(db, row, moved)
