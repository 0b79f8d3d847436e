"""Buyers, merchants and carriers who play story 1 at speed, in the load's own process."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from sqlalchemy import text
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from acts.acts import Acts
from acts.checkout import Accepted, Checkout, CheckoutSettings, Unavailable
from domain.order.acts import ConfirmReceipt, Deliver, Ship
from domain.order.cart import Address, Cart, CartLine
from domain.order.lines import Placement
from domain.order.order_number import parse
from domain.order.product import Product
from domain.order.status import Actor, Answer, Status
from runtime.settings import Settings
from runtime.wiring import CHANNEL, limits
from simulation.bench import floor
from simulation.bench.stage import Stage
from simulation.parties import Buyer
from store.catalog.products import CatalogChanges, Listing, PostgresCatalog
from store.orders.checkout_keys import PostgresCheckoutKeys
from store.orders.sub_order_book import PostgresSubOrderBook
from store.stock.changes import Change, change_stock
from workflows import run_names

PRICE_FEN = 1_000
LOOK_EVERY_S = 0.03  # for one order that waits; there is one look for all, the less often the more wait
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Lived:
    """How long an order took to be placed and to be completed, and its runs, of which the order's is the first."""

    placed_s: float
    completed_s: float
    runs: Sequence[str]


class Crowd(Protocol):
    async def live(self) -> Lived:
        """Play one order, from checkout until it is completed."""
        ...


class Orders:
    """Whole orders of the product, each with `lines` lines from `merchants` merchants."""

    def __init__(
        self,
        stage: Stage,
        settings: Settings,
        *,
        merchants: int = 2,
        lines: int = 3,
        checkout: type[Checkout] = Checkout,
    ) -> None:
        self._stage = stage
        self._acts = Acts(stage.client, PostgresSubOrderBook(stage.engine))
        self.checkout = _checkout(stage, settings, checkout)
        self._merchants = merchants
        self._lines = lines
        self._skus: list[str] = []
        self._people = count(int(time.time() * 1_000) % 10**9 * 10_000)
        self._handed_over = HandedOver(stage)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Orders"]:
        """Put goods on sale, and watch what is handed over to the merchants, while orders are played."""
        run = uuid.uuid4().hex[:8]
        self._skus = [f"{run}-{n}" for n in range(self._lines)]
        products = [
            Product(sku=sku, merchant=f"{run}-m{n % self._merchants}", title=f"Thing {n}", price_fen=PRICE_FEN)
            for n, sku in enumerate(self._skus)
        ]
        await PostgresCatalog(self._stage.engine).change(CatalogChanges([Listing(product) for product in products]))
        received = [Change(sku=sku, pieces=1_000_000, kind="receive") for sku in self._skus]
        await change_stock(self._stage.engine, received)
        looking = asyncio.create_task(self._handed_over.look())
        try:
            yield self
        finally:
            looking.cancel()

    async def place(self) -> str:
        """Place an order, which then waits for its payment; returns its number."""
        placed = await self.checkout.place("bench", uuid.uuid4().hex, self._cart())
        while isinstance(placed, Accepted):  # no worker was free in time: wait on, as asking again would
            placed = await self._wait_for(placed.order_no)
        assert placed.refusal is None, placed.refusal
        return placed.order_no

    async def live(self) -> Lived:
        asked = time.perf_counter()
        order_no = await self.place()
        placed = time.perf_counter()
        (await self._stage.cashier.post(f"/cashier/{order_no}/pay", json={})).raise_for_status()
        parts = await self._handed_over.all_of(order_no)
        await asyncio.gather(*(self._travel(part) for part in parts))
        await self._stage.client.get_workflow_handle(run_names.order_id(order_no)).result()
        ended = time.perf_counter()
        runs = [run_names.order_id(order_no), *(run_names.sub_order_id(part) for part in parts)]
        return Lived(placed - asked, ended - asked, runs)

    async def _travel(self, part: str) -> None:
        number = parse(part)
        shipment = Ship(actor=Actor.MERCHANT, carrier="SF", tracking_no=f"T{part}")
        await _done(lambda: self._acts.ship(number, shipment, "ship"))
        await _done(lambda: self._acts.deliver(number, Deliver(actor=Actor.CARRIER), "deliver"))
        await _done(lambda: self._acts.confirm(number, ConfirmReceipt(actor=Actor.BUYER), "confirm"))

    def _cart(self) -> Cart:
        buyer = Buyer(next(self._people))
        return Cart(
            buyer_id=buyer.buyer_id,
            lines=[CartLine(line_no=n, sku=sku, quantity=1) for n, sku in enumerate(self._skus, start=1)],
            expected_amount_fen=PRICE_FEN * len(self._skus),
            address=Address.model_validate(buyer.address),
            device_id=buyer.device_id,
        )

    async def _wait_for(self, order_no: str) -> Placement:
        run = self._stage.client.get_workflow_handle(run_names.order_id(order_no))
        placement: Placement = await run.execute_update("place", id="place", result_type=Placement)
        return placement


def _checkout(stage: Stage, settings: Settings, kind: type[Checkout]) -> Checkout:
    secret = settings.order_number_key.get_secret_value().encode()
    wanted = CheckoutSettings(
        task_queue=settings.task_queue,
        terms=settings.terms(),
        limits=limits(settings),
        task_timeout_s=settings.workflow_task_timeout_s,
        wait_s=PATIENCE_S,
    )
    return kind(stage.client, PostgresCheckoutKeys(stage.engine, secret, CHANNEL), wanted)


async def _done(act: Callable[[], Awaitable[Answer]]) -> None:
    """Do an act as a good caller does: ask again under the same key while the machine is too busy to answer in time."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = await act()
        except Unavailable:
            if time.monotonic() > until:
                raise
            continue
        assert answer.refused is None, answer.refused
        return


class HandedOver:
    """Tells when all sub-orders of an order are with their merchants, by one query for everybody who waits."""

    def __init__(self, stage: Stage) -> None:
        self._engine = stage.engine
        self._waiting: dict[int, asyncio.Future[list[str]]] = {}

    async def all_of(self, order_no: str) -> list[str]:
        """Wait until all sub-orders of an order are handed over; returns their numbers."""
        there: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting[int(order_no)] = there
        return await asyncio.wait_for(there, PATIENCE_S)

    async def look(self) -> None:
        query = text(
            "SELECT order_no, array_agg(sub_order_no) FROM sub_orders WHERE order_no = ANY(:wanted)"
            " GROUP BY order_no HAVING bool_and(handed_over_at IS NOT NULL)"
        )
        while True:
            await asyncio.sleep(LOOK_EVERY_S * min(max(len(self._waiting), 1), 10))
            if self._waiting:
                async with self._engine.connect() as db:
                    for order_no, parts in await db.execute(query, {"wanted": list(self._waiting)}):
                        self._waiting.pop(order_no).set_result(list(parts))


class FloorOrders:
    """Bare workflows of the same shape as whole orders, asked in the same way. With `shows`, they have their status as
    a search attribute; without, they have none."""

    def __init__(self, stage: Stage, settings: Settings, *, shows: bool = False, parts: int = 2) -> None:
        self._client = stage.client
        self._queue = settings.task_queue
        self._task_timeout_s = settings.workflow_task_timeout_s
        self._shows = shows
        self._parts = parts
        self._numbers = count(uuid.uuid4().int >> 66)

    async def live(self) -> Lived:
        number = next(self._numbers)
        asked = time.perf_counter()
        await self._client.execute_update_with_start_workflow(
            floor.FloorOrder.place, start_workflow_operation=self._start(number), id="place"
        )
        placed = time.perf_counter()
        order = self._client.get_workflow_handle(floor.order_run(number))
        await order.execute_update(floor.FloorOrder.receive_payment)
        runs = [floor.part_run(number, part) for part in range(1, self._parts + 1)]
        await asyncio.gather(*(self._travel(run) for run in runs))
        await order.result()
        return Lived(placed - asked, time.perf_counter() - asked, [floor.order_run(number), *runs])

    async def _travel(self, run: str) -> None:
        part = self._client.get_workflow_handle(run)
        for act in (floor.FloorPart.ship, floor.FloorPart.deliver, floor.FloorPart.confirm):
            await part.execute_update(act)

    def _start(self, number: int) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            floor.FloorOrder.run,
            args=[number, self._parts, self._shows],
            id=floor.order_run(number),
            search_attributes=floor.shown_from_start(self._shows, Status.PENDING_PAYMENT),
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
