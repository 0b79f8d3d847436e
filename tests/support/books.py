"""Orders at every stage, written by the ledgers themselves, as short as the tests of the store want them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.orders import AcceptPayment, RecordOrder
from activities.orders import RecordSplit as Split
from activities.sub_orders import Closed, CloseSubOrders, RecordReceived, RecordShipped
from domain.order.cart import Address, Cart, CartLine, Terms
from domain.order.lines import OrderLine, Placement, PricedOrder
from domain.order.order_number import candidate
from domain.order.payment import Capture
from domain.order.precedence import CaptureOutcome
from domain.order.reservation import StockLine
from domain.order.status import Actor, Answer, CloseReason, Status, fold
from domain.splitting.plan import cut, plan
from store.money.payments import PostgresPayments
from store.orders.attention import PostgresAttention
from store.orders.order_book import PostgresOrderBook
from store.orders.sub_order_book import PostgresSubOrderBook
from store.orders.views import PostgresViews

NOW = datetime(2026, 11, 11, 12, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
DUE = NOW + WEEK  # of the statement on what is received now
SECRET = b"of the tests of the store"
BUYER = 1_234_567
SOMEBODY_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
_orders = count()


def order_number() -> str:
    """Another one each time."""
    n = next(_orders)
    return candidate(SECRET, "test", f"order {n}", BUYER, date(2026, 1, 1) + timedelta(days=n % 300), 1, 0)


def line(line_no: int = 1, merchant: str = "m1", quantity: int = 1, fen: int = 1_000, off_fen: int = 0) -> OrderLine:
    """A line that costs `off_fen` less than its list price."""
    return OrderLine(
        line_no=line_no,
        sku=f"SKU{line_no}",
        version=1,
        digest="d",
        title=f"Thing {line_no} of {merchant}",
        merchant=merchant,
        warehouse="w1",
        quantity=quantity,
        unit_price_fen=fen,
        goods_fen=fen * quantity,
        pay_fen=fen * quantity - off_fen,
    )


def lines(*skus_and_pieces: tuple[str, int]) -> list[StockLine]:
    return [StockLine(line_no=n, sku=sku, quantity=pieces) for n, (sku, pieces) in enumerate(skus_and_pieces, start=1)]


def closing_of(order_no: str, sub_order_no: str | None = None) -> CloseSubOrders:
    return CloseSubOrders(
        order_no=order_no,
        sub_order_no=sub_order_no,
        actor=Actor.BUYER,
        reason=CloseReason.CANCELLED_BY_BUYER,
        note="",
        at=NOW,
    )


class AnswerLost(ConnectionError):
    """The commit is done, and nobody hears of it."""


class Forgetful:
    """An engine whose commits are done and whose answers are lost. What is only read is read."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def execution_options(self, **options: Any) -> AsyncEngine:
        made = self._engine.execution_options(**options)
        return made if options.get("postgresql_readonly") else forgetful(made)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as db:
            yield db
        raise AnswerLost

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """For what begins and commits by itself, and for single statements."""
        async with self._engine.connect() as db:
            yield db
        raise AnswerLost


def forgetful(engine: AsyncEngine) -> AsyncEngine:
    return cast(AsyncEngine, Forgetful(engine))


@dataclass
class Ledgers:
    engine: AsyncEngine

    def __post_init__(self) -> None:
        self.book = PostgresOrderBook(self.engine)
        self.sub_book = PostgresSubOrderBook(self.engine)
        self.attention = PostgresAttention(self.engine)
        self.payments = PostgresPayments(self.engine)
        self.views = PostgresViews(self.engine)

    def record(
        self,
        order_no: str,
        goods: Sequence[OrderLine],
        buyer_id: int = BUYER,
        at: datetime = NOW,
        shipping_fen: int = 0,
        **terms: Any,
    ) -> RecordOrder:
        due = sum(line.pay_fen for line in goods) + shipping_fen
        return RecordOrder(
            order_no=order_no,
            caller="test",
            terms=Terms(**terms),
            cart=Cart(
                buyer_id=buyer_id,
                lines=[
                    CartLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity)
                    for line in goods
                    if line.gift is None
                ],
                expected_amount_fen=due,
                address=Address(recipient="Lin", phone="13800138000", region="Hangzhou", street="Road 1"),
                device_id="d1",
            ),
            priced=PricedOrder(
                lines=list(goods),
                goods_fen=sum(line.goods_fen for line in goods),
                amount_due_fen=due,
                shipping_fen=shipping_fen,
            ),
            placed_at=at,
            pay_by=at + timedelta(minutes=30),
        )

    async def placed(self, *goods: OrderLine, **more: Any) -> str:
        order_no = order_number()
        placement: Placement = await self.book.record_order(self.record(order_no, goods or [line()], **more))
        assert placement.refusal is None
        return order_no

    def capture(self, order_no: str, amount_fen: int = 1_000, capture_id: str | None = None) -> Capture:
        return Capture(
            capture_id=capture_id or f"c{order_no}",
            payment_id=order_no,
            amount_fen=amount_fen,
            currency="CNY",
            captured_at=NOW,
        )

    async def accept(self, order_no: str, capture: Capture) -> CaptureOutcome:
        return (await self.book.accept_payment(AcceptPayment(order_no=order_no, capture=capture))).outcome

    async def paid(self, *goods: OrderLine, shipping_fen: int = 0, **more: Any) -> str:
        goods = goods or (line(),)
        order_no = await self.placed(*goods, shipping_fen=shipping_fen, **more)
        due = sum(line.pay_fen for line in goods) + shipping_fen
        if not due:
            return order_no
        assert await self.accept(order_no, self.capture(order_no, due)) is CaptureOutcome.ACCEPTED
        return order_no

    def split_request(self, order_no: str, *goods: OrderLine, shipping_fen: int = 0) -> Split:
        """One sub-order per merchant."""
        lines = list(goods or [line()])
        return Split(order_no=order_no, plan=plan(order_no, lines, cut(lines, [], Terms()), shipping_fen), at=NOW)

    async def split(self, *goods: OrderLine, shipping_fen: int = 0, **more: Any) -> tuple[str, list[str]]:
        """A paid order, and the numbers of its sub-orders. `more` are a buyer, a time, or terms."""
        order_no = await self.paid(*goods, shipping_fen=shipping_fen, **more)
        done = await self.book.record_split(self.split_request(order_no, *goods, shipping_fen=shipping_fen))
        return order_no, [plan.sub_order_no for plan in done.sub_orders]

    async def ship(self, sub_order_no: str, tracking_no: str = "T1", actor: Actor = Actor.MERCHANT) -> Answer:
        return await self.sub_book.record_shipped(
            RecordShipped(sub_order_no=sub_order_no, actor=actor, carrier="SF", tracking_no=tracking_no, at=NOW)
        )

    async def receive(self, sub_order_no: str) -> Answer:
        return await self.sub_book.record_received(RecordReceived(sub_order_no=sub_order_no, actor=Actor.BUYER, at=NOW))

    async def close(self, order_no: str, sub_order_no: str | None = None) -> Closed:
        return await self.sub_book.close_sub_orders(closing_of(order_no, sub_order_no))

    async def status(self, order_no: str) -> Status:
        """The order's own, which always is what its sub-orders make of it."""
        own = Status(await self.one("SELECT status FROM orders WHERE order_no = :no", no=int(order_no)))
        subs = await self.sql("SELECT status FROM sub_orders WHERE order_no = :no", no=int(order_no))
        if subs:
            assert own is fold(Status(status) for (status,) in subs).status
        return own

    async def sub_status(self, sub_order_no: str) -> Status:
        return Status(await self.one("SELECT status FROM sub_orders WHERE sub_order_no = :no", no=sub_order_no))

    async def balances(self) -> dict[str, int]:
        rows = await self.sql("SELECT account, sum(amount_fen)::bigint FROM journal_legs GROUP BY account")
        return {account: fen for account, fen in rows if fen}

    async def sql(self, query: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as db:
            result = await db.execute(text(query), values)
            return list(result.all()) if result.returns_rows else []

    async def one(self, query: str, **values: Any) -> Any:
        (row,) = await self.sql(query, **values)
        return row[0]
