"""A shop without PostgreSQL and HTTP: the real stories on a real worker, with every ledger in memory.

What only a database, a relay or the gateway can promise is tested with `tests.support.shop`."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.attention import AttentionActivities
from activities.catalog import PricingActivities
from activities.coupons import CouponActivities
from activities.merchant import MerchantActivities
from activities.orders import OrderActivities
from activities.payment import PaymentActivities
from activities.risk import RiskActivities
from activities.splitting import SplitActivities
from activities.stock import GoodsActivities, StockActivities
from activities.sub_orders import SubOrderActivities
from acts.order_runs import start_options
from domain.order.acts import Cancel, ConfirmReceipt, Deliver, OrderEnded, Ship
from domain.order.cart import Cart, CartLine, StartOrder, Terms
from domain.order.lines import Placement
from domain.order.order_number import candidate
from domain.order.precedence import CaptureOutcome
from domain.order.product import Product
from domain.order.status import Actor, Answer
from domain.pricing.order_price import Limits
from domain.risk import Decision
from runtime.wiring import CHANNEL, methods_of
from tests.support.memory.coupons import MemoryCoupons
from tests.support.memory.money import MemoryPayments, MemoryProvider
from tests.support.memory.order_book import MemoryOrderBook
from tests.support.memory.parties import (
    MemoryAttention,
    MemoryCatalog,
    MemoryMerchants,
    MemoryRisk,
    NoPromotions,
)
from tests.support.memory.records import KeptOrder, Records
from tests.support.memory.stock import MemoryStock
from tests.support.memory.stock_lookers import memory_stock
from tests.support.memory.sub_order_book import MemorySubOrderBook
from tests.support.sandbox import sandbox
from tests.support.shop import RUN, Person, until
from workflows import run_names
from workflows.order import Order
from workflows.sub_order import SubOrder

TASK_QUEUE = f"quick-{RUN}"
SECRET = f"of quick shops {RUN}".encode()  # another one in each run
LIMITS = Limits(lines=100, pieces_per_line=1_000, amount_fen=10**9, coupons=10)
_numbers = count()


@dataclass
class QuickShop:
    """The acts of all parties, each an update to the run that it is about."""

    client: Client
    records: Records = field(default_factory=Records)
    stock: MemoryStock = field(default_factory=MemoryStock)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    coupons: MemoryCoupons = field(default_factory=MemoryCoupons)
    provider: MemoryProvider = field(default_factory=MemoryProvider)
    merchants: MemoryMerchants = field(default_factory=MemoryMerchants)

    def __post_init__(self) -> None:
        self.risk = MemoryRisk(self.records)
        self.attention = MemoryAttention(self.records)

    async def sku(self, *, pieces: int = 10, price_fen: int = 1000, merchant: str = "m1") -> str:
        sku = f"sku-{uuid.uuid4().hex[:10]}"
        self.catalog.products[sku] = Product(sku=sku, merchant=merchant, title="Thing", price_fen=price_fen)
        await self.stock.receive(sku, pieces)
        return sku

    async def ask(
        self, skus: Sequence[str], person: Person | None = None, *, expected_fen: int | None = None, **terms: Any
    ) -> Placement:
        """The answer to a cart with one piece of each SKU, whatever it is."""
        person = person or Person()
        expected = sum(self.catalog.products[sku].price_fen for sku in skus) if expected_fen is None else expected_fen
        cart = Cart(
            buyer_id=person.buyer_id,
            lines=[CartLine(line_no=n, sku=sku, quantity=1) for n, sku in enumerate(skus, start=1)],
            expected_amount_fen=expected,
            address=person.address,
            device_id=person.device_id,
        )
        today = datetime.now(UTC).date()
        order_no = candidate(SECRET, "quick", str(next(_numbers)), person.buyer_id, today, CHANNEL, 0)
        start = StartOrder(order_no=order_no, caller="quick", cart=cart, terms=Terms(**terms))
        placement: Placement = await self.client.execute_update_with_start_workflow(
            "place",
            start_workflow_operation=WithStartWorkflowOperation(
                Order.run,
                start,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                **start_options(start, TASK_QUEUE, 10),
            ),
            id="place",
            result_type=Placement,
        )
        return placement

    async def place(self, skus: Sequence[str], person: Person | None = None, **terms: Any) -> str:
        placement = await self.ask(skus, person, **terms)
        assert placement.refusal is None, placement.refusal
        return placement.order_no

    async def pay(self, order_no: str) -> None:
        capture = self.provider.pay(order_no)
        run = self.run(order_no)
        answer = await run.execute_update("receive_payment", capture, id=capture.capture_id, result_type=CaptureOutcome)
        assert answer is CaptureOutcome.ACCEPTED

    async def paid(self, order_no: str) -> list[str]:
        """The sub-orders of an order that its buyer pays."""
        await self.pay(order_no)
        return await self.split(order_no)

    async def split(self, order_no: str) -> list[str]:
        async def numbers() -> list[str]:
            return [sub.plan.sub_order_no for sub in self.order(order_no).subs]

        return await until(numbers, bool)

    async def cancel(self, order_no: str) -> Answer:
        return await self._act(run_names.order_id(order_no), "cancel", Cancel(actor=Actor.BUYER))

    async def cancel_sub_order(self, sub_order_no: str) -> Answer:
        return await self._act(run_names.sub_order_id(sub_order_no), "cancel", Cancel(actor=Actor.BUYER))

    async def ship(self, sub_order_no: str) -> Answer:
        shipment = Ship(actor=Actor.MERCHANT, carrier="SF", tracking_no="T1")
        return await self._act(run_names.sub_order_id(sub_order_no), "ship", shipment)

    async def deliver(self, sub_order_no: str) -> Answer:
        return await self._act(run_names.sub_order_id(sub_order_no), "deliver", Deliver(actor=Actor.CARRIER))

    async def confirm(self, sub_order_no: str) -> Answer:
        receipt = ConfirmReceipt(actor=Actor.BUYER)
        return await self._act(run_names.sub_order_id(sub_order_no), "confirm_receipt", receipt)

    async def decide_risk(self, order_no: str, decision: Decision) -> Answer:
        return await self._act(run_names.order_id(order_no), "decide_risk", decision)

    async def _act(self, run: str, update: str, arg: object) -> Answer:
        """A sub-order is in the book a moment before its run starts: then it is asked again, under the same id."""
        update_id = uuid.uuid4().hex
        for _ in range(100):
            try:
                answer: Answer = await self.client.get_workflow_handle(run).execute_update(
                    update, arg, id=update_id, result_type=Answer
                )
                return answer
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            await asyncio.sleep(0.05)
        raise AssertionError(f"there is no open run {run}")

    def run(self, order_no: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(run_names.order_id(order_no), result_type=OrderEnded)

    async def ended(self, order_no: str) -> OrderEnded:
        ended: OrderEnded = await asyncio.wait_for(self.run(order_no).result(), 60)
        return ended

    def order(self, order_no: str) -> KeptOrder:
        return self.records.orders[order_no]


@asynccontextmanager
async def a_quick_shop(client: Client) -> AsyncIterator[QuickShop]:
    """A shop with its worker, in this process."""
    shop = QuickShop(client)
    stock, book, sub_book = (
        memory_stock(shop.stock),
        MemoryOrderBook(shop.records),
        MemorySubOrderBook(shop.records),
    )
    activities = methods_of(
        RiskActivities(shop.risk),
        PricingActivities(shop.catalog, NoPromotions(), stock.shelves, LIMITS),
        StockActivities(stock.ledger),
        GoodsActivities(stock.physical),
        SplitActivities(book, stock.physical),
        CouponActivities(shop.coupons),
        OrderActivities(book),
        SubOrderActivities(sub_book),
        AttentionActivities(shop.attention),
        PaymentActivities(shop.provider, MemoryPayments(shop.records)),
        MerchantActivities(shop.merchants, sub_book),
    )
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Order, SubOrder],
        activities=activities,
        workflow_runner=sandbox(),
    ):
        yield shop
