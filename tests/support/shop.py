"""A whole shop for tests: real servers, a worker and the relays in this process, the sandbox as its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from acts.acts import Acts
from acts.checkout import Accepted, Checkout, CheckoutSettings, Unavailable
from domain.order.acts import Cancel, CancelPieces, ConfirmReceipt, Deliver, OrderEnded, Ship
from domain.order.cart import Address, Cart, CartLine, Terms
from domain.order.lines import Placement
from domain.order.order_number import OrderNo, parse
from domain.order.pieces import Pieces
from domain.order.product import Product
from domain.order.status import Action, Actor, Answer, Status
from domain.records.views import OrderView
from domain.risk import BlockKind
from runtime.settings import Settings
from runtime.wiring import CHANNEL, limits
from runtime.worker import run_worker
from store.catalog.products import PostgresCatalog
from store.orders.attention import PostgresAttention
from store.orders.checkout_keys import PostgresCheckoutKeys
from store.orders.order_book import PostgresOrderBook
from store.orders.sub_order_book import PostgresSubOrderBook
from store.orders.views import PostgresViews
from store.risk.desk import PostgresRisk
from store.stock.ledger import PostgresStock
from store.stock.sold_out import PostgresStockGate
from tests.support.sandbox import sandbox
from workflows import run_names

_people = count(1)
RUN = uuid.uuid4().hex[:6]

T = TypeVar("T")

PATIENCE_S = 60.0  # for what comes soon, on a machine that has other work too


@dataclass
class Person:
    """A buyer that no other test knows: nobody's device, place or phone is shared, so risk has nothing to say."""

    buyer_id: int = field(default_factory=lambda: next(_people) + 1000)
    on_device_of: "Person | None" = None

    @property
    def address(self) -> Address:
        phone = f"+1 {self.buyer_id:06d}0000"  # blocks of numbers are told apart by all but the last digits
        return Address(recipient="Lin", phone=phone, region=f"Hangzhou {RUN}", street=f"Road {self.buyer_id}")

    @property
    def device_id(self) -> str:
        if self.on_device_of is not None:
            return self.on_device_of.device_id
        return f"device-{RUN}-{self.buyer_id}"


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], bool], timeout_s: float = PATIENCE_S) -> T:
    """Look again and again until it is good; the last look is in the error."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        seen = await look()
        if good(seen):
            return seen
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not so within {timeout_s} s, but: {seen}")
        await asyncio.sleep(0.05)


class PatientActs(Acts):
    """As callers do whose request got no answer: they ask again, under the same key."""

    async def _update(
        self, number: OrderNo, update: str, arg: object, action: Action, actor: Actor, key: str | None
    ) -> Answer:
        key = key or str(uuid.uuid4())
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await super()._update(number, update, arg, action, actor, key)
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.2)


@dataclass
class Shop:
    """The acts of all parties, as short as tests want them."""

    client: Client
    engine: AsyncEngine
    settings: Settings
    http: httpx.AsyncClient  # to the sandbox
    environment: WorkflowEnvironment | None = None  # where time is virtual

    def __post_init__(self) -> None:
        self.book = PostgresOrderBook(self.engine)
        self.sub_book = PostgresSubOrderBook(self.engine)
        self.attention = PostgresAttention(self.engine)
        self.stock = PostgresStock(self.engine)
        self.catalog = PostgresCatalog(self.engine)
        self.risk = PostgresRisk(self.engine)
        self.views = PostgresViews(self.engine)
        self.acts = PatientActs(self.client, self.sub_book)

    # --- what is for sale

    async def sku(
        self, *, pieces: int = 10, price_fen: int = 1000, merchant: str = "m1", limited: bool = False, **more: Any
    ) -> str:
        sku = f"sku-{uuid.uuid4().hex[:10]}"
        product = Product(sku=sku, merchant=merchant, title=f"Thing of {merchant}", price_fen=price_fen, **more)
        await self.catalog.put(product, limited=limited)
        if pieces:
            await self.stock.receive(sku, pieces)
        return sku

    async def shelve(self, merchant: str, sku: str, pieces: int) -> None:
        """Put pieces on the shelf of a warehouse of ours, which the merchant then ships from."""
        await self.sql(
            "INSERT INTO merchant_warehouses (merchant, warehouse) VALUES (:merchant, 'shelf') ON CONFLICT DO NOTHING",
            merchant=merchant,
        )
        counters = "(sku, warehouse, total, available)"
        await self.sql(
            f"INSERT INTO physical_stock {counters} VALUES (:sku, 'shelf', :pieces, :pieces)", sku=sku, pieces=pieces
        )

    async def shelf(self, sku: str) -> tuple[int, int, int]:
        """Available, reserved and shipped there."""
        query = "SELECT available, reserved, shipped FROM physical_stock WHERE sku = :sku"
        (row,) = await self.sql(query, sku=sku)
        return row.available, row.reserved, row.shipped

    async def level(self, sku: str) -> dict[str, int]:
        return (await self.stock.levels([sku]))[sku]

    # --- checkout

    def cart(self, skus: Sequence[str], person: Person, *, expected_fen: int, quantity: int = 1) -> Cart:
        return Cart(
            buyer_id=person.buyer_id,
            lines=[CartLine(line_no=n, sku=sku, quantity=quantity) for n, sku in enumerate(skus, start=1)],
            expected_amount_fen=expected_fen,
            address=person.address,
            device_id=person.device_id,
        )

    def checkout(self, *, wait_s: float = 8.0, gated: bool = False, **terms: Any) -> Checkout:
        settings = CheckoutSettings(
            task_queue=self.settings.task_queue,
            terms=Terms(**terms),
            limits=limits(self.settings),
            task_timeout_s=self.settings.workflow_task_timeout_s,
            wait_s=wait_s,
        )
        secret = self.settings.order_number_key.get_secret_value().encode()
        gate = PostgresStockGate(self.engine) if gated else None
        return Checkout(self.client, PostgresCheckoutKeys(self.engine, secret, CHANNEL), settings, gate)

    async def ask(self, cart: Cart, **terms: Any) -> Placement:
        """Checkout's answer, whatever it is."""
        checkout, key = self.checkout(**terms), uuid.uuid4().hex
        for _ in range(4):  # on a busy machine it asks again, as callers do
            answer = await checkout.place("test", key, cart)
            if not isinstance(answer, Accepted):
                return answer
        raise AssertionError("no worker answered")

    async def place(
        self,
        skus: Sequence[str],
        person: Person | None = None,
        *,
        price_fen: int = 1000,
        quantity: int = 1,
        **terms: Any,
    ) -> str:
        """An order that is taken: so many pieces of each SKU. Its number."""
        cart = self.cart(skus, person or Person(), expected_fen=price_fen * quantity * len(skus), quantity=quantity)
        placement = await self.ask(cart, **terms)
        assert placement.refusal is None, placement.refusal
        return placement.order_no

    # --- parties

    async def pay(self, order_no: str, **how: Any) -> None:
        (await self.http.post(f"/cashier/{order_no}/pay", json=how)).raise_for_status()

    async def bad_days(self, **switches: Any) -> None:
        (await self.http.put("/bad-days", json=switches)).raise_for_status()

    async def cancel(self, number: str, actor: Actor = Actor.BUYER) -> Answer:
        return await self.acts.cancel(parse(number), Cancel(actor=actor))

    async def cancel_pieces(
        self, sub_order_no: str, pieces: dict[int, int], actor: Actor = Actor.BUYER, key: str | None = None
    ) -> Answer:
        lines = [Pieces(line_no=line_no, quantity=quantity) for line_no, quantity in pieces.items()]
        return await self.acts.cancel_pieces(parse(sub_order_no), CancelPieces(actor=actor, lines=lines), key)

    async def ship(self, sub_order_no: str, tracking_no: str = "T1") -> Answer:
        shipment = Ship(actor=Actor.MERCHANT, carrier="SF", tracking_no=tracking_no)
        return await self.acts.ship(parse(sub_order_no), shipment)

    async def deliver(self, sub_order_no: str) -> Answer:
        return await self.acts.deliver(parse(sub_order_no), Deliver(actor=Actor.CARRIER))

    async def confirm(self, sub_order_no: str) -> Answer:
        return await self.acts.confirm(parse(sub_order_no), ConfirmReceipt(actor=Actor.BUYER))

    async def block(self, kind: BlockKind, value: str) -> None:
        await self.risk.block(kind, value, reason="test", author="tester")

    # --- looking

    async def show(self, order_no: str) -> OrderView:
        view = await self.views.order(order_no)
        assert view is not None, f"there is no order {order_no}"
        return view

    async def when(self, order_no: str, good: Callable[[OrderView], bool], timeout_s: float = PATIENCE_S) -> OrderView:
        return await until(lambda: self.show(order_no), good, timeout_s)

    async def when_status(self, order_no: str, status: Status, timeout_s: float = PATIENCE_S) -> OrderView:
        return await self.when(order_no, lambda view: view.status is status, timeout_s)

    async def split(self, order_no: str) -> list[str]:
        """The sub-orders' numbers, once there are some and their runs have handed them over."""
        view = await self.when(order_no, lambda view: bool(view.sub_orders))
        return [sub.sub_order_no for sub in view.sub_orders]

    def run(self, order_no: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(run_names.order_id(order_no), result_type=OrderEnded)

    def sub_run(self, sub_order_no: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(run_names.sub_order_id(sub_order_no))

    async def ended(self, order_no: str, timeout_s: float = PATIENCE_S) -> OrderEnded:
        ended: OrderEnded = await asyncio.wait_for(self.run(order_no).result(), timeout_s)
        return ended

    async def sql(self, query: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as db:
            result = await db.execute(text(query), values)
            return list(result.all()) if result.returns_rows else []

    async def money(self, order_no: str) -> dict[str, int]:
        """Balance of each account that has postings of this order's payment."""
        rows = await self.sql(
            "SELECT account, sum(amount_fen)::bigint FROM journal_legs JOIN journal_postings USING (key)"
            " WHERE reference = :no GROUP BY account",
            no=order_no,
        )
        return {account: balance for account, balance in rows if balance}

    async def provider_kept(self, order_no: str) -> int:
        """What the provider has taken for an order and not sent back."""
        statement = (await self.http.get("/statement")).json()
        captures = [capture for capture in statement["captures"] if capture["payment_id"] == order_no]
        ids = {capture["capture_id"] for capture in captures}
        back = sum(refund["moved_fen"] for refund in statement["refunds"] if refund["capture_id"] in ids)
        return int(sum(capture["amount_fen"] for capture in captures) - back)


@asynccontextmanager
async def working(settings: Settings, client: Client) -> AsyncIterator[asyncio.Task[None]]:
    """A worker with its relays, in this process."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run_worker(settings, client, stopping, runner=sandbox()))
    try:
        yield task
    finally:
        stopping.set()
        await task
