"""The rows of an order and of its sub-orders, and the one way in which they are changed.

Every change locks the order's row first, so that a shipment and a cancel of one order come one after the other.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, Update, bindparam, delete, exists, select, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.order.attention import AttentionTopic
from domain.order.order_number import parse
from domain.order.status import (
    Action,
    Actor,
    AfterSaleFact,
    Facts,
    FulfilmentFact,
    PaymentFact,
    ReviewFact,
    Status,
    status_of,
)
from domain.order.status import fold as fold_statuses
from store.database.log_and_outbox import LogEntry, Notice, entry_of, note, notice_of, with_entry, with_entry_and_notice
from store.tables import attentions, orders, refunds, sub_orders

SubOrderRow = Row[Any]

_THIS_ORDER = orders.c.order_no == bindparam("of_order")
_THIS = sub_orders.c.sub_order_no == bindparam("of_sub")
_LOCK = select(orders).where(_THIS_ORDER).with_for_update()
_HOLD = select(orders.c.order_no).where(_THIS_ORDER).with_for_update()
_SUB_ORDER = select(sub_orders).where(_THIS)
_SUB_ORDERS = select(sub_orders).where(sub_orders.c.order_no == bindparam("of_order")).order_by(sub_orders.c.idx)
# The sub-orders' rows are locked too, after the order's: rows that were only read would be as before the wait for it.
_LOCK_SUB_ORDERS = (
    select(sub_orders)
    .select_from(orders.join(sub_orders, sub_orders.c.order_no == orders.c.order_no))
    .where(_THIS_ORDER)
    .order_by(sub_orders.c.idx)
    .with_for_update()
)
_CHANGE = update(sub_orders).where(_THIS)
_ITS_MARKS = delete(attentions).where(
    attentions.c.order_no == bindparam("of_order"), attentions.c.subject == bindparam("of_sub")
)


async def lock_order(db: AsyncConnection, order_no: int) -> Row[Any]:
    """The order's row, locked until the transaction ends."""
    return (await db.execute(_LOCK, {"of_order": order_no})).one()


async def sub_order(db: AsyncConnection, sub_order_no: str) -> SubOrderRow:
    return (await db.execute(_SUB_ORDER, {"of_sub": sub_order_no})).one()


async def sub_orders_of(db: AsyncConnection, order_no: int) -> list[SubOrderRow]:
    return list((await db.execute(_SUB_ORDERS, {"of_order": order_no})).all())


async def hold_order_of(db: AsyncConnection, sub_order_no: str) -> None:
    """Lock the row of a sub-order's order without reading it."""
    (await db.execute(_HOLD, {"of_order": int(parse(sub_order_no).order_no)})).one()


async def lock_with_others(db: AsyncConnection, sub_order_no: str) -> tuple[SubOrderRow, list[SubOrderRow]]:
    """A sub-order's row and the rows of all sub-orders of its order (itself included), with the order locked.
    Raises NoResultFound."""
    found = await db.execute(_LOCK_SUB_ORDERS, {"of_order": int(parse(sub_order_no).order_no)})
    every = list(found.all())
    for row in every:
        if row.sub_order_no == sub_order_no:
            return row, every
    raise NoResultFound(f"there is no sub-order {sub_order_no}")


async def lock_sub_order(db: AsyncConnection, sub_order_no: str) -> SubOrderRow:
    """A sub-order's row, with its order locked. Raises NoResultFound."""
    row, _ = await lock_with_others(db, sub_order_no)
    return row


def facts_of(row: SubOrderRow) -> Facts:
    return Facts(
        payment=PaymentFact.PAID,
        fulfilment=FulfilmentFact(row.fulfilment),
        review=ReviewFact(row.review),
        after_sale=AfterSaleFact(row.after_sale),
    )


async def change(
    db: AsyncConnection,
    row: SubOrderRow,
    facts: Facts,
    entry: LogEntry | None = None,
    notice: Notice | None = None,
    *,
    forget: bool = False,
    **more: object,
) -> None:
    """Change a sub-order, with its entry in the order's log and its notice, in one statement; a notice needs an entry.

    With `forget` its attention marks are deleted too: no person is needed for it any more. An entry locks the tip of
    the evidence chain, see `store.database.log_and_outbox.note`."""
    values: dict[str, object] = {"of_sub": row.sub_order_no, **_values(facts), **more}
    if forget:
        values["of_order"] = row.order_no
    if entry is not None:
        values |= entry_of(row.order_no, entry, row.sub_order_no)
    if notice is not None:
        values |= notice_of(notice)
    await db.execute(_change(forget, entry is not None, notice is not None), values)


@cache
def _change(forget: bool, noted: bool, told: bool) -> Update:
    """The statement of a change with these additions; each of them is built once."""
    statement = _CHANGE.add_cte(_ITS_MARKS.cte("forgotten")) if forget else _CHANGE
    if told:
        return with_entry_and_notice(statement)
    return with_entry(statement) if noted else statement


def _values(facts: Facts) -> dict[str, object]:
    return {"fulfilment": facts.fulfilment.value, "review": facts.review.value, "status": status_of(facts).value}


async def note_on(
    db: AsyncConnection, row: SubOrderRow, at: datetime, actor: Actor, action: Action | str, detail: str = ""
) -> None:
    await note(db, row.order_no, at, actor, action, subject=row.sub_order_no, detail=detail)


def of_others() -> ColumnElement[bool]:
    """The marks of stray payments and of after-sale cases, which are not matters of the order's own run."""
    return attentions.c.subject.like("stray-payment/%") | attentions.c.subject.like("%A%")


def _of_its_own_story() -> ColumnElement[bool]:
    """The marks of the order's own run, except that of a refund which the order still owes."""
    of_order: BindParameter[int] = bindparam("of_order")
    owes = exists().where(refunds.c.order_no == of_order, refunds.c.state != "DONE")
    lasts = (attentions.c.topic == AttentionTopic.REFUND) & owes
    return (attentions.c.order_no == of_order) & ~of_others() & ~lasts


_FORGET = delete(attentions).where(_of_its_own_story())
_REFOLD = update(orders).where(_THIS_ORDER)


async def forget_attention(db: AsyncConnection, order_no: int) -> None:
    """Delete the marks of an order that has ended: nobody is needed for it any more, except for a refund that it still
    owes."""
    await db.execute(_FORGET, {"of_order": order_no})


async def refold(db: AsyncConnection, order_no: int, at: datetime) -> None:
    """Fold the order's status from its sub-orders' statuses. The order's row must be locked."""
    rows = await sub_orders_of(db, order_no)
    await _show_folded(db, order_no, at, rows, [Status(row.status) for row in rows])


async def refold_with(
    db: AsyncConnection, every: Sequence[SubOrderRow], row: SubOrderRow, facts: Facts, at: datetime
) -> None:
    """The same as `refold`, from the rows that `lock_with_others` returned, of which `row` has changed to `facts`
    since."""
    statuses = [status_of(facts) if one.idx == row.idx else Status(one.status) for one in every]
    await _show_folded(db, row.order_no, at, every, statuses)


async def _show_folded(
    db: AsyncConnection, order_no: int, at: datetime, rows: Sequence[SubOrderRow], statuses: Sequence[Status]
) -> None:
    status = fold_statuses(statuses).status
    values: dict[str, object] = {"status": status.value}
    if status in (Status.COMPLETED, Status.CLOSED):
        await forget_attention(db, order_no)
    if status is Status.COMPLETED:
        values["completed_at"] = at
    if status is Status.CLOSED:
        values["closed_at"] = at
        values["close_reason"] = max(rows, key=lambda row: row.closed_at).close_reason
    await db.execute(_REFOLD, {"of_order": order_no, **values})
