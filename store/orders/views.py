"""What people look at, read from the tables. Nothing here changes anything."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, Text, cast, func, literal, null, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.order.lines import OrderLine, Placement, SubOrderPlan
from domain.order.status import CloseReason, Status
from domain.records.views import (
    AttentionView,
    DiscountView,
    EventView,
    LineView,
    ListItem,
    OrderView,
    Page,
    RefundView,
    ScanView,
    SubOrderView,
    Tab,
)
from store.database.engine import looking
from store.rows.lines import read_lines
from store.tables import (
    after_sales,
    attentions,
    order_events,
    order_lines,
    orders,
    piece_refund_lines,
    piece_refunds,
    placements,
    refunds,
    risk_decisions,
    risk_verdicts,
    sub_order_lines,
    sub_orders,
    tracking_events,
)

_PLAN = TypeAdapter(list[SubOrderPlan])
_SHIPPED = (Status.SHIPPED, Status.COMPLETED, Status.REVIEWED)

_STATUSES: dict[Tab, tuple[Status, ...]] = {
    Tab.TO_PAY: (Status.PENDING_PAYMENT,),
    Tab.TO_SHIP: (Status.AWAITING_SHIPMENT, Status.EXCEPTION),
    Tab.TO_RECEIVE: (Status.SHIPPED,),
    Tab.TO_REVIEW: (Status.COMPLETED,),
}


class BadCursor(ValueError):
    """Raised when a page is asked for with an `after` that no page gave as its `next`. The gateway answers 422."""


class PostgresViews:
    def __init__(self, engine: AsyncEngine) -> None:
        self._looking = looking(engine)

    async def refusal(self, order_no: str) -> Placement | None:
        """The answer to a checkout that was refused: there is no order to show."""
        async with self._looking.connect() as db:
            outcome = await db.scalar(
                select(cast(placements.c.outcome, Text)).where(placements.c.order_no == int(order_no))
            )
        placement = Placement.model_validate_json(outcome) if outcome else None
        return placement if placement is not None and placement.refusal is not None else None

    async def order(self, order_no: str) -> OrderView | None:
        number = int(order_no)
        async with self._looking.connect() as db:
            row = (await db.execute(select(orders).where(orders.c.order_no == number))).first()
            if row is None:
                return None
            subs = await _sub_orders(db, number)
            return OrderView(
                order_no=order_no,
                buyer_id=row.buyer_id,
                status=Status(row.status),
                goods_fen=row.goods_fen,
                shipping_fen=row.shipping_fen,
                amount_due_fen=row.amount_due_fen,
                currency=row.currency,
                placed_at=row.placed_at,
                pay_by=row.pay_by,
                payment_link=row.payment_link,
                paid_at=row.paid_at,
                close_reason=CloseReason(row.close_reason) if row.close_reason else None,
                risk_verdict=await _risk(db, number),
                lines=await _lines(db, number, subs),
                planned=[] if subs else await _planned(db, number),
                sub_orders=subs,
                refunds=[
                    RefundView(**_of(found, RefundView))
                    for found in await db.execute(
                        select(refunds).where(refunds.c.order_no == number).order_by(refunds.c.refund_no)
                    )
                ],
                attention=[
                    AttentionView(**_of(found, AttentionView))
                    for found in await db.execute(
                        select(attentions).where(attentions.c.order_no == number).order_by(attentions.c.since)
                    )
                ],
                events=await _events(db, number),
            )

    async def events(self, order_no: str) -> list[EventView]:
        """Who did what when; also of an order that was refused, which is not there to show."""
        async with self._looking.connect() as db:
            return await _events(db, int(order_no))

    async def of_buyer(self, buyer_id: int, tab: Tab, size: int, after: str | None = None) -> Page:
        """A buyer's list, newest first: unpaid (and not yet split) orders whole, all others by their sub-orders."""
        whole = _whole().where(orders.c.buyer_id == buyer_id)
        parts = _parts().where(sub_orders.c.buyer_id == buyer_id)
        if tab in _STATUSES:
            whole = whole.where(orders.c.status.in_(_STATUSES[tab]))
            parts = parts.where(sub_orders.c.status.in_(_STATUSES[tab]))
        if tab is Tab.AFTER_SALE:
            whole = whole.where(literal(False))
            parts = parts.where(sub_orders.c.after_sale != "NONE")
        return await self._page([whole, parts], size, after)

    async def of_merchant(self, merchant: str, status: Status | None, size: int, after: str | None = None) -> Page:
        """A merchant's sub-orders, newest first."""
        parts = _parts().where(sub_orders.c.merchant == merchant)
        if status is not None:
            parts = parts.where(sub_orders.c.status == status.value)
        return await self._page([parts], size, after)

    async def for_operators(
        self, status: Status | None, needing_a_person: bool, size: int, after: str | None = None
    ) -> Page:
        """The operators' list: all orders, each as a whole."""
        whole = _whole(split_too=True)
        if status is not None:
            whole = whole.where(orders.c.status == status.value)
        if needing_a_person:
            whole = whole.where(orders.c.order_no.in_(select(attentions.c.order_no)))
        return await self._page([whole], size, after)

    async def _page(self, queries: Sequence[Select[Any]], size: int, after: str | None) -> Page:
        every = union_all(*queries).subquery()
        key = tuple_(every.c.placed_at, every.c.order_no, every.c.idx)
        page = select(every).order_by(every.c.placed_at.desc(), every.c.order_no.desc(), every.c.idx.desc())
        if after is not None:
            page = page.where(key < tuple_(*(literal(part) for part in _cursor(after))))
        async with self._looking.connect() as db:
            rows = (await db.execute(page.limit(size + 1))).all()
            titles = await _titles(db, rows)
        items = [_item(row, titles) for row in rows[:size]]
        more = _next(rows[size - 1]) if len(rows) > size else None
        return Page(items=items, next=more)


def _whole(*, split_too: bool = False) -> Select[Any]:
    found = select(
        orders.c.order_no,
        literal(0).label("idx"),
        cast(null(), Text).label("sub_order_no"),
        cast(null(), Text).label("merchant"),
        orders.c.status,
        orders.c.goods_fen,
        orders.c.amount_due_fen.label("pay_fen"),
        orders.c.placed_at,
        literal("NONE").label("after_sale"),
        select(attentions.c.topic).where(attentions.c.order_no == orders.c.order_no).exists().label("attention"),
    )
    if split_too:
        return found
    return found.where(~select(sub_orders.c.idx).where(sub_orders.c.order_no == orders.c.order_no).exists())


def _parts() -> Select[Any]:
    return select(
        sub_orders.c.order_no,
        sub_orders.c.idx,
        sub_orders.c.sub_order_no,
        sub_orders.c.merchant,
        sub_orders.c.status,
        sub_orders.c.goods_fen,
        sub_orders.c.pay_fen,
        orders.c.placed_at,
        sub_orders.c.after_sale,
        select(attentions.c.topic).where(attentions.c.subject == sub_orders.c.sub_order_no).exists().label("attention"),
    ).join(orders, orders.c.order_no == sub_orders.c.order_no)


def _cursor(after: str) -> tuple[datetime, int, int]:
    try:
        at, order_no, idx = after.split("_")
        key = datetime.fromisoformat(at), int(order_no), int(idx)
        # What the database can't compare is no page's `next` either.
        if key[0].utcoffset() != timedelta(0) or not 0 <= key[1] < 2**63 or not 0 <= key[2] <= 99:
            raise ValueError(after)
        return key
    except ValueError:
        raise BadCursor("this is not a page's `next`; leave it out to begin at the first page") from None


def _next(row: Row[Any]) -> str:
    return f"{row.placed_at.isoformat()}_{row.order_no}_{row.idx}"


def _item(row: Row[Any], titles: dict[tuple[int, int], list[tuple[str, str]]]) -> ListItem:
    lines = titles[row.order_no, row.idx]
    return ListItem(
        order_no=str(row.order_no),
        sub_order_no=row.sub_order_no,
        merchants=sorted({merchant for merchant, _ in lines}),
        status=Status(row.status),
        goods_fen=row.goods_fen,
        pay_fen=row.pay_fen,
        placed_at=row.placed_at,
        titles=[title for _, title in lines],
        after_sale=row.after_sale,
        needs_attention=row.attention,
    )


async def _titles(db: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[tuple[int, int], list[tuple[str, str]]]:
    """What is in each item of a page: of a whole order all lines (idx 0), of a sub-order its own."""
    same_line = (sub_order_lines.c.order_no == order_lines.c.order_no) & (
        sub_order_lines.c.line_no == order_lines.c.line_no
    )
    found = await db.execute(
        select(order_lines.c.order_no, sub_order_lines.c.idx, order_lines.c.merchant, order_lines.c.title)
        .outerjoin(sub_order_lines, same_line)
        .where(order_lines.c.order_no.in_({row.order_no for row in rows}))
        .order_by(order_lines.c.order_no, order_lines.c.line_no)
    )
    titles: dict[tuple[int, int], list[tuple[str, str]]] = defaultdict(list)
    for order_no, idx, merchant, title in found:
        for index in {0, idx or 0}:
            if (merchant, title) not in titles[order_no, index]:
                titles[order_no, index].append((merchant, title))
    return titles


async def _risk(db: AsyncConnection, order_no: int) -> str | None:
    verdict: str | None = await db.scalar(select(risk_verdicts.c.verdict).where(risk_verdicts.c.order_no == order_no))
    decision = await db.scalar(select(risk_decisions.c.decision).where(risk_decisions.c.order_no == order_no))
    return f"{verdict}, then {decision}" if decision else verdict


async def _events(db: AsyncConnection, order_no: int) -> list[EventView]:
    found = await db.execute(
        select(order_events).where(order_events.c.order_no == order_no).order_by(order_events.c.id)
    )
    return [EventView(**_of(row, EventView)) for row in found]


async def _planned(db: AsyncConnection, order_no: int) -> list[SubOrderPlan]:
    plan = await db.scalar(select(cast(orders.c.plan, Text)).where(orders.c.order_no == order_no))
    return _PLAN.validate_json(plan) if plan else []


async def _lines(db: AsyncConnection, order_no: int, subs: Sequence[SubOrderView]) -> list[LineView]:
    shipped: dict[int, int] = defaultdict(int)
    closed: dict[int, int] = defaultdict(int)
    for sub in subs:
        for line in sub.lines:
            shipped[line.line_no] += line.shipped
            closed[line.line_no] += line.closed
    closed_before = await db.execute(
        select(order_lines.c.line_no, order_lines.c.closed).where(order_lines.c.order_no == order_no)
    )
    for line_no, pieces in closed_before:
        closed[line_no] += pieces
    return [
        _line(line).model_copy(update={"shipped": shipped[line.line_no], "closed": closed[line.line_no]})
        for line in await read_lines(db, order_no)
    ]


def _line(line: OrderLine) -> LineView:
    own = {name: getattr(line, name) for name in LineView.model_fields if name in OrderLine.model_fields}
    discounts = [DiscountView(promotion_id=s.promotion_id, amount_fen=s.amount_fen) for s in line.shares]
    return LineView(**own, discounts=discounts, gift_of=line.gift.promotion_id if line.gift else None)


async def _sub_orders(db: AsyncConnection, order_no: int) -> list[SubOrderView]:
    rows = (
        await db.execute(select(sub_orders).where(sub_orders.c.order_no == order_no).order_by(sub_orders.c.idx))
    ).all()
    lines = await _sub_order_lines(db, order_no)
    scans: dict[int, list[ScanView]] = defaultdict(list)
    for scan in await db.execute(
        select(tracking_events).where(tracking_events.c.order_no == order_no).order_by(tracking_events.c.at)
    ):
        scans[scan.idx].append(ScanView(**_of(scan, ScanView)))
    cases: dict[int, list[str]] = defaultdict(list)
    of_order = select(after_sales.c.idx, after_sales.c.case_no).where(after_sales.c.order_no == order_no)
    for idx, case_no in await db.execute(of_order.order_by(after_sales.c.case_no)):
        cases[idx].append(case_no)
    return [_sub_order(row, lines[row.idx], scans[row.idx], cases[row.idx]) for row in rows]


def _sub_order(row: Row[Any], lines: list[Row[Any]], scans: list[ScanView], cases: list[str]) -> SubOrderView:
    status = Status(row.status)
    return SubOrderView(
        **_of(row, SubOrderView, leave=("status", "close_reason", "lines", "tracking", "cases")),
        cases=cases,
        status=status,
        close_reason=CloseReason(row.close_reason) if row.close_reason else None,
        lines=[
            LineView(
                **_of(line, LineView, leave=("shipped", "closed", "discounts")),
                shipped=line.quantity - line.cancelled if status in _SHIPPED else 0,
                closed=line.refunded,
            )
            for line in lines
        ],
        tracking=scans,
    )


def _cancelled() -> Any:
    """How many pieces of a sub-order's line went back before it shipped."""
    part, back, units = sub_order_lines.c, piece_refunds.c, piece_refund_lines.c
    same = (back.order_no == part.order_no) & (back.idx == part.idx) & (units.line_no == part.line_no)
    return (
        select(func.coalesce(func.sum(units.last_unit - units.first_unit + 1), 0))
        .join(piece_refunds, (back.key == units.key) & (back.idx == units.idx))
        .where(same, back.before_shipping)
        .correlate(sub_order_lines)
        .scalar_subquery()
    )


async def _sub_order_lines(db: AsyncConnection, order_no: int) -> dict[int, list[Row[Any]]]:
    part = sub_order_lines.c
    found = await db.execute(
        select(
            part.idx,
            part.line_no,
            order_lines.c.sku,
            order_lines.c.title,
            order_lines.c.merchant,
            (part.last_unit - part.first_unit + 1).label("quantity"),
            order_lines.c.unit_price_fen,
            part.goods_fen,
            part.pay_fen,
            order_lines.c.gift["promotion_id"].astext.label("gift_of"),
            part.refunded,
            _cancelled().label("cancelled"),
        )
        .join(order_lines, (order_lines.c.order_no == part.order_no) & (order_lines.c.line_no == part.line_no))
        .where(part.order_no == order_no)
        .order_by(part.idx, part.line_no)
    )
    lines: dict[int, list[Any]] = defaultdict(list)
    for row in found:
        lines[row.idx].append(row)
    return lines


def _of(row: Row[Any], model: type[Any], leave: Sequence[str] = ()) -> dict[str, Any]:
    """The model's fields that the row has under the same names."""
    return {name: getattr(row, name) for name in model.model_fields if name not in leave}
