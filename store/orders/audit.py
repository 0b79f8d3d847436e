"""The audit's view of the books in PostgreSQL: what has not ended or is held, and the audit's marks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Text, cast, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.attention import RecordAttention
from activities.audit import FindHeld, FindingsMarked, HeldPage, Mark, MarkFindings
from activities.stock_party import StockHeld, StockHoldings
from domain.order.attention import AttentionTopic
from domain.order.cart import Address, Cart, CartLine, StartOrder, Terms
from domain.order.status import ENDED, Actor, Status
from domain.records.audit import HeldOrder
from store.database.engine import looking
from store.database.log_and_outbox import note
from store.orders import audit_sql as sql
from store.orders.attention import PostgresAttention
from store.rows.lines import read_lines
from store.rows.sub_orders import of_others
from store.tables import attentions, orders

RESTART = "START_AGAIN"


class PostgresAudit:
    """Implements `activities.audit.AuditLedger`."""

    def __init__(self, engine: AsyncEngine, stock: StockHoldings) -> None:
        self._engine = engine
        self._stock = stock
        self._looking = looking(engine)
        self._attention = PostgresAttention(engine)

    async def find_held(self, request: FindHeld) -> HeldPage:
        async with self._looking.connect() as db:
            ours = list(await db.scalars(text(sql.HELD), {"after": int(request.after), "most": request.most}))
        holding = await self._stock.holding(request.after, request.most)
        numbers = sorted({*ours, *map(int, holding)})[: request.most]
        seen = await self._see(numbers)
        old = [held for held, since in seen if since is None or since < request.older_than]
        last = str(numbers[-1]) if len(numbers) == request.most else None
        return HeldPage(orders=[held for held in old if _counts(held)], after=last)

    async def held(self, order_no: str) -> HeldOrder | None:
        ((held, _),) = await self._see([int(order_no)])
        return held if _counts(held) else None

    async def _see(self, numbers: Sequence[int]) -> list[tuple[HeldOrder, datetime | None]]:
        """Each order with what it holds, and since when. The order book is read before the stock, so that no order
        looks split before its stock was sold."""
        if not numbers:
            return []
        async with self._looking.connect() as db:
            rows = (await db.execute(text(sql.KNOWN), {"numbers": numbers, "restart": RESTART})).all()
        stock = {one.order_no: one for one in await self._stock.held([str(number) for number in numbers])}
        found = [(row, stock.get(str(row.order_no)) or StockHeld(order_no=str(row.order_no))) for row in rows]
        return [(_held(row, held), row.since or held.since) for row, held in found]

    async def start_input(self, order_no: str) -> StartOrder | None:
        number = int(order_no)
        wanted = select(orders, cast(orders.c.terms, Text).label("terms_json")).where(orders.c.order_no == number)
        async with self._looking.connect() as db:
            order = (await db.execute(wanted)).one_or_none()
            if order is None:
                return None
            lines = [line for line in await read_lines(db, number) if line.gift is None]
        # The device's id as risk keeps it, and the total as it was priced: a run that goes on needs neither.
        cart = Cart(
            buyer_id=order.buyer_id,
            lines=[CartLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity) for line in lines],
            expected_amount_fen=order.amount_due_fen,
            address=Address.model_validate(order.address),
            coupons=order.coupons,
            device_id=order.device_id,
            ip=order.ip,
        )
        terms = Terms.model_validate_json(order.terms_json)
        return StartOrder(order_no=order_no, caller=order.caller, cart=cart, terms=terms)

    async def note_restart(self, order_no: str, why: str, at: datetime) -> None:
        async with self._engine.begin() as db:
            await db.execute(select(orders.c.order_no).where(orders.c.order_no == int(order_no)).with_for_update())
            await note(db, int(order_no), at, Actor.PLATFORM, RESTART, detail=f"its run had ended: {why}")

    async def mark_findings(self, request: MarkFindings) -> FindingsMarked:
        async with self._looking.connect() as db:
            marked = await db.execute(
                select(attentions.c.order_no, attentions.c.subject).where(attentions.c.topic == AttentionTopic.AUDIT)
            )
            before = {(str(row.order_no), row.subject) for row in marked}
        found = {(one.order_no, one.subject): one.text for one in request.found}
        raised = [await self._mark(place, said, request.at) for place, said in found.items()]
        well = before - set(found) if request.healing else set()
        healed = [await self._mark(place, None, request.at) for place in sorted(well)]
        return FindingsMarked(raised=sum(raised), healed=sum(healed))

    async def marks_of_ended(self) -> list[Mark]:
        ended = select(attentions.c.order_no, attentions.c.subject, attentions.c.topic).join(
            orders, orders.c.order_no == attentions.c.order_no
        )
        of_runs = ended.where(orders.c.status.in_(ENDED), attentions.c.topic != AttentionTopic.AUDIT, ~of_others())
        async with self._looking.connect() as db:
            return [Mark(str(row.order_no), row.subject, row.topic) for row in await db.execute(of_runs)]

    async def heal(self, mark: Mark, at: datetime) -> bool:
        well = RecordAttention(order_no=mark.order_no, subject=mark.subject, topic=mark.topic, text=None, at=at)
        return (await self._attention.record_attention(well)).changed

    async def _mark(self, place: tuple[str, str], said: str | None, at: datetime) -> bool:
        order_no, subject = place
        mark = RecordAttention(order_no=order_no, subject=subject, topic=AttentionTopic.AUDIT, text=said, at=at)
        return (await self._attention.record_attention(mark)).changed


def _held(row: Row[Any], stock: StockHeld) -> HeldOrder:
    due = row.due.astimezone(UTC) if row.due else None
    if row.status is None and not row.answered:
        due = stock.since
    return HeldOrder(
        order_no=stock.order_no,
        status=Status(row.status) if row.status else None,
        refused=bool(row.refused),
        split=row.split,
        due=due,
        stock=stock.sellable,
        coupons=row.coupons,
        goods=[number for number in stock.goods if number not in row.parts],
        refunds=row.refunds,
        parts=row.parts,
        restarts=row.restarts,
    )


def _counts(held: HeldOrder) -> bool:
    """Whether the audit has to look at this order at all."""
    return bool(held.holds) or (held.status is not None and not held.ended)
