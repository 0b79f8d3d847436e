"""After-sale cases in PostgreSQL. Each act has its key, and the acts on one order run one after the other, since each
locks the order's row."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.after_sale import CaseOf, EndRefund, OpenCase, RecordCaseAct
from domain.after_sale.case import (
    ENDINGS,
    AskAfterSale,
    CaseAct,
    CaseAction,
    CaseAnswer,
    CaseRefused,
    CaseStatus,
    Inspect,
    StartAfterSale,
    due_at,
    mark_of,
    move,
)
from domain.after_sale.inspection import why_not_so
from domain.after_sale.request import why_not
from domain.order.status import Actor
from store.after_sale.case_rows import CaseRow, askable, case_row, facts_of_case, goods_to_come, start_of
from store.database.engine import looking
from store.database.keys import KeyReused, kept, once
from store.database.log_and_outbox import NOTICE, note, tell
from store.rows.pieces_left import terms_of
from store.rows.sub_orders import SubOrderRow, lock_order, lock_sub_order
from store.tables import (
    after_sale_keys,
    after_sale_lines,
    after_sales,
    attentions,
    order_operations,
    sub_orders,
)


class PostgresAfterSales:
    """Implements `activities.after_sale.CaseBook`, and mints the cases' numbers."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    async def minted(self, caller: str, key: str, body_sha256: str) -> str | None:
        """The number of the case under a caller's key, if there is one. Raises KeyReused if the body was another."""
        async with self._looking.connect() as db:
            return await _minted(db, caller, key, body_sha256)

    async def mint(self, caller: str, key: str, body_sha256: str, sub_order_no: str) -> str:
        """The number of the case under a caller's key: the one it has, else the sub-order's next. Idempotency key:
        `caller` with `key`, for ever. Raises KeyReused if the body was another."""
        async with self._engine.begin() as db:
            await lock_sub_order(db, sub_order_no)  # no two callers count the same
            known = await _minted(db, caller, key, body_sha256)
            if known is not None:
                return known
            of_sub = after_sale_keys.c.sub_order_no == sub_order_no
            count = await db.scalar(select(func.count()).where(of_sub))
            case_no = f"{sub_order_no}A{int(count or 0) + 1:02d}"
            row = {"caller": caller, "idempotency_key": key, "body_sha256": body_sha256}
            await db.execute(insert(after_sale_keys).values(**row, sub_order_no=sub_order_no, case_no=case_no))
            return case_no

    async def would_refuse(self, sub_order_no: str, ask: AskAfterSale, at: datetime) -> CaseRefused | None:
        """The refusal that opening this case would get now; None if it would be opened. It only reads."""
        async with self._looking.connect() as db:
            return why_not(ask, await askable(db, sub_order_no), at)

    async def start_of(self, case_no: str) -> StartAfterSale | None:
        """The start input of a case's run; None when there is no such case."""
        async with self._looking.connect() as db:
            row = await case_row(db, case_no)
            return await start_of(db, row) if row is not None else None

    async def overdue(self, by: timedelta, most: int) -> list[StartAfterSale]:
        """The cases that should have moved on at least `by` ago, the longest waiting first: their runs may be gone."""
        late = func.coalesce(after_sales.c.due_at, after_sales.c.since) < func.now() - by
        of_late = select(after_sales.c.case_no).where(after_sales.c.ended_at.is_(None), late)
        async with self._looking.connect() as db:
            numbers = (await db.scalars(of_late.order_by(after_sales.c.since).limit(most))).all()
            rows = [await case_row(db, case_no) for case_no in numbers]
            return [await start_of(db, row) for row in rows if row is not None]

    async def answered(self, case_no: str, key: str) -> CaseAnswer | None:
        """The answer to the act under this key; None if there was none."""
        async with self._looking.connect() as db:
            return await kept(db, order_operations, _act_key(case_no, key), CaseAnswer)

    async def look_up_case(self, request: CaseOf) -> CaseAnswer:
        async with self._looking.connect() as db:
            row = await case_row(db, request.case_no)
            return CaseAnswer(facts=await facts_of_case(db, row) if row is not None else None)

    async def open_case(self, request: OpenCase) -> CaseAnswer:
        return await self._once(f"{request.case_no}/open", lambda db: _open(db, request))

    async def record_case_act(self, request: RecordCaseAct) -> CaseAnswer:
        return await self._once(_act_key(request.case_no, request.key), lambda db: _act(db, request))

    async def end_refund(self, request: EndRefund) -> CaseAnswer:
        action = CaseAction.FAIL if request.failed else CaseAction.PAY_BACK
        act = CaseAct(action=action, actor=Actor.PLATFORM, note=request.failed)
        record = RecordCaseAct(case_no=request.case_no, key="", act=act, at=request.at)
        amount = {} if request.failed else {"amount_fen": request.amount_fen}
        return await self._once(f"{request.case_no}/refunded", lambda db: _act(db, record, **amount))

    async def _once(self, key: str, effect: Callable[[AsyncConnection], Awaitable[CaseAnswer]]) -> CaseAnswer:
        async with self._engine.begin() as db:
            return await once(
                db, order_operations, key, CaseAnswer, lambda: effect(db), keep=lambda answer: answer.refused is None
            )


def _act_key(case_no: str, key: str) -> str:
    return f"{case_no}/act/{key}"


async def _minted(db: AsyncConnection, caller: str, key: str, body_sha256: str) -> str | None:
    of_key = (after_sale_keys.c.caller == caller) & (after_sale_keys.c.idempotency_key == key)
    row = (await db.execute(select(after_sale_keys).where(of_key))).first()
    if row is not None and row.body_sha256 != body_sha256:
        raise KeyReused
    return str(row.case_no) if row is not None else None


async def _open(db: AsyncConnection, request: OpenCase) -> CaseAnswer:
    sub = await lock_sub_order(db, request.sub_order_no)
    refused = why_not(request.ask, await askable(db, request.sub_order_no), request.at)
    if refused is not None:
        return CaseAnswer(refused=refused)
    status = CaseStatus.REQUESTED
    of_case = {"case_no": request.case_no}
    of_sub = {name: getattr(sub, name) for name in ("order_no", "idx", "sub_order_no", "buyer_id", "merchant")}
    await db.execute(
        insert(after_sales).values(
            **of_case,
            **of_sub,
            kind=request.ask.kind.value,
            reason=request.ask.reason,
            status=status.value,
            quote=request.quote.model_dump(mode="json"),
            requested_at=request.at,
            since=request.at,
            due_at=due_at(status, request.at, await terms_of(db, sub.order_no)),
        )
    )
    lines = [{**of_case, "line_no": one.line_no, "quantity": one.quantity} for one in request.ask.lines]
    await db.execute(insert(after_sale_lines), lines)
    await _mark(db, sub)
    pieces = ", ".join(f"{one.quantity} of line {one.line_no}" for one in request.ask.lines)
    said = f"{request.ask.kind} of {pieces}: {request.ask.reason}"
    await note(db, sub.order_no, request.at, Actor.BUYER, "ASK_AFTER_SALE", subject=request.case_no, detail=said)
    return await _answer(db, request.case_no)


async def _act(db: AsyncConnection, request: RecordCaseAct, **more: object) -> CaseAnswer:
    act = request.act
    row = await _lock_case(db, request.case_no)
    before = CaseStatus(row.status)
    after = move(before, act.action, act.actor, goods_to_come=goods_to_come(row))
    if not isinstance(after, CaseRefused) and act.inspected is not None:
        facts = await facts_of_case(db, row)
        after = why_not_so(act.inspected, facts.lines, facts.gifts, before, act.actor) or after
    if isinstance(after, CaseRefused):
        return CaseAnswer(facts=await facts_of_case(db, row), refused=after)
    due = due_at(after, request.at, await terms_of(db, row.order_no))
    values = {"status": after.value, "revision": row.revision + 1, "since": request.at, "due_at": due, **more}
    values |= _written(act, request.at) | ({"ended_at": request.at} if after in ENDINGS else {})
    await db.execute(update(after_sales).where(after_sales.c.case_no == request.case_no).values(values))
    if after in ENDINGS:
        await db.execute(delete(attentions).where(_attention_of(row)))
    sub = (await db.execute(select(sub_orders).where(sub_orders.c.sub_order_no == row.sub_order_no))).one()
    await _mark(db, sub)
    await note(db, row.order_no, request.at, act.actor, act.action, subject=row.case_no, detail=_detail(act))
    return await _answer(db, request.case_no)


def _written(act: CaseAct, at: datetime) -> dict[str, object]:
    """What an act writes into the case's row besides its state."""
    values: dict[str, object] = {"said": act.note} if act.note else {}
    if act.action is CaseAction.SEND_BACK:
        values |= {"carrier": act.carrier, "tracking_no": act.tracking_no, "sent_back_at": at}
    if act.inspected is not None:
        values |= {"inspected": act.inspected.model_dump(mode="json")}
    return values


def _detail(act: CaseAct) -> str:
    if act.action is CaseAction.SEND_BACK:
        return f"{act.carrier} {act.tracking_no}"
    if act.inspected is None:
        return act.note
    return (
        f"accepted {_pieces(act.inspected)}; can be sold again: {sum(one.quantity for one in act.inspected.sellable)}"
    )


def _pieces(inspected: Inspect) -> str:
    return ", ".join(f"{one.quantity} of line {one.line_no}" for one in inspected.accepted)


async def _lock_case(db: AsyncConnection, case_no: str) -> CaseRow:
    """A case's row, with its order locked."""
    row = await case_row(db, case_no)
    assert row is not None, f"there is no case {case_no}"
    await lock_order(db, row.order_no)
    locked = await case_row(db, case_no)
    assert locked is not None
    return locked


def _attention_of(row: CaseRow) -> Any:
    return (attentions.c.order_no == row.order_no) & (attentions.c.subject == row.case_no)


async def _mark(db: AsyncConnection, sub: SubOrderRow) -> None:
    """Set the sub-order's after-sale mark from its cases. Its order must be locked."""
    of_sub = (after_sales.c.order_no == sub.order_no) & (after_sales.c.idx == sub.idx)
    statuses = await db.scalars(select(after_sales.c.status).where(of_sub))
    mark = mark_of(CaseStatus(status) for status in statuses)
    of_row = sub_orders.c.sub_order_no == sub.sub_order_no
    await db.execute(update(sub_orders).where(of_row).values(after_sale=mark.value))


async def _answer(db: AsyncConnection, case_no: str) -> CaseAnswer:
    """Tell the case's parties of a change, and return the case as it is now."""
    row = await case_row(db, case_no)
    assert row is not None
    parties = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "merchant": row.merchant}
    body = {**parties, "event": "after_sale", "case_no": case_no, "status": row.status}
    await tell(db, NOTICE, f"after-sale/{case_no}/{row.revision}", body)
    return CaseAnswer(facts=await facts_of_case(db, row))
