"""Part 4: a flash sale over HTTP, with far more buyers than pieces. A buyer who does not pay loses the piece to one who
asks again."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from domain.order.cart import Address, Cart, CartLine
from domain.order.ownership import Role
from domain.order.product import Product
from gateway.auth import mint
from simulation.bench.figures import percentile
from simulation.bench.progress import Show
from simulation.bench.stage import Stage, a_stage
from simulation.bench.wire import Ask, Told, ask_all, post
from simulation.parties import Buyer
from store.catalog.products import PostgresCatalog
from store.stock.ledger import PostgresStock

PRICE_FEN = 9_900


@dataclass(frozen=True)
class Sizes:
    """The sizes of the sale. `payers` of those who get a piece pay for it; for the others the payment window of
    `window_s` runs out. `alone` buyers come after the rush, one at a time."""

    buyers: int = 10_000
    pieces: int = 100
    payers: int = 70
    connections: int = 200
    window_s: int = 60
    alone: int = 50


QUICK = Sizes(buyers=400, pieces=10, payers=7, connections=50, window_s=8, alone=10)


@dataclass
class Sale:
    """What was seen in the sale."""

    begun: float = 0.0
    rush: list[Told] = field(default_factory=list)
    alone: list[Told] = field(default_factory=list)
    again: list[Told] = field(default_factory=list)
    runs_in_rush: int = 0
    runs: int = 0
    level_after_rush: dict[str, int] = field(default_factory=dict)
    level_before_resale: dict[str, int] = field(default_factory=dict)
    level: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(told.told_at for told in self.rush) - self.begun

    def times_ms(self, status: int, share: float) -> float:
        return percentile((told.seconds for told in self.rush if told.status == status), share) * 1_000


def orders_of(told: Sequence[Told]) -> list[str]:
    return [str(one.body["order_no"]) for one in told if one.status == 201]


class FlashSale:
    def __init__(self, stage: Stage, sizes: Sizes, show: Show) -> None:
        self._stage = stage
        self._sizes = sizes
        self._show = show
        self._sku = f"flash-{uuid.uuid4().hex[:8]}"
        self._stock = PostgresStock(stage.engine)
        self._paying: set[asyncio.Task[None]] = set()
        self._payers_left = sizes.payers
        self.sale = Sale()

    async def run(self) -> Sale:
        product = Product(sku=self._sku, merchant="flash", title="One of few", price_fen=PRICE_FEN)
        await PostgresCatalog(self._stage.engine).put(product)
        await self._stock.receive(self._sku, self._sizes.pieces)
        asks = [self._ask(number) for number in range(1, self._sizes.buyers + self._sizes.alone + 1)]
        crowd, late = asks[: self._sizes.buyers], asks[self._sizes.buyers :]
        self._show.step(f"flash sale: {len(crowd):,} buyers ask")
        await self._rush(crowd)
        self._show.step("flash sale: one who comes late")
        self.sale.alone = await self._all(late, connections=1)
        self._show.step("flash sale: the unpaid pieces come back")
        await self._until_the_unpaid_are_back()
        self._show.step("flash sale: they are sold again")
        await self._sell_again()
        self._check()
        return self.sale

    async def _rush(self, crowd: Sequence[Ask]) -> None:
        self.sale.begun = time.perf_counter()
        self.sale.rush = await self._all(crowd, self._sizes.connections, pay=True)
        await asyncio.gather(*self._paying)
        self.sale.level_after_rush = await self._level()
        self.sale.runs_in_rush = await self._runs()

    async def _until_the_unpaid_are_back(self) -> None:
        """Wait until the unpaid pieces are back, each by its own deadline. If the rush takes longer than the window,
        some are sold again during it."""
        self.sale.level_before_resale = await self._nothing_reserved(self._sizes.window_s + 60)

    async def _nothing_reserved(self, within_s: float) -> dict[str, int]:
        """The counters, once every piece is either paid and deducted, or back."""
        until = time.monotonic() + within_s
        level = await self._level()
        while level["reserved"] and time.monotonic() < until:
            await asyncio.sleep(0.2)
            level = await self._level()
        return level

    async def _sell_again(self) -> None:
        """Some of the refused buyers ask again, and everybody who gets a piece pays. A key that no run has answered is
        still free; a buyer whose run was refused takes a new key, as the answer says."""
        refused = [told for told in self.sale.rush if told.status == 409][: 4 * self._sizes.pieces]
        askers = [self._ask(told.buyer, "again" if "order_no" in told.body else "sale") for told in refused]
        self._payers_left = self._sizes.buyers
        self.sale.again = await self._all(askers, min(50, self._sizes.connections), pay=True)
        await asyncio.gather(*self._paying)
        self.sale.runs = await self._runs()
        self.sale.level = await self._nothing_reserved(60)

    async def _all(self, asks: Sequence[Ask], connections: int, *, pay: bool = False) -> list[Told]:
        def heard(told: Told) -> None:
            if pay and told.status == 201 and self._payers_left > 0:
                self._payers_left -= 1
                paying = asyncio.create_task(self._pay(str(told.body["order_no"])))
                self._paying.add(paying)

        return await ask_all(self._stage.settings.gateway_port, asks, connections, heard)

    async def _pay(self, order_no: str) -> None:
        (await self._stage.cashier.post(f"/cashier/{order_no}/pay", json={})).raise_for_status()

    def _ask(self, number: int, key: str = "sale") -> Ask:
        buyer, settings = Buyer(number), self._stage.settings
        cart = Cart(
            buyer_id=buyer.buyer_id,
            lines=[CartLine(line_no=1, sku=self._sku, quantity=1)],
            expected_amount_fen=PRICE_FEN,
            address=Address.model_validate(buyer.address),
            device_id=buyer.device_id,
        )
        token = mint(settings.jwt_key.get_secret_value(), Role.BUYER, str(buyer.buyer_id), timedelta(hours=1))
        host = f"127.0.0.1:{settings.gateway_port}"
        return Ask(number, post("/orders", host, token, f"{key}-{number}", cart.model_dump_json()))

    async def _level(self) -> dict[str, int]:
        return (await self._stock.levels([self._sku]))[self._sku]

    async def _runs(self) -> int:
        return (await self._stage.client.count_workflows("WorkflowType = 'Order'")).count

    def _check(self) -> None:
        sale, pieces = self.sale, self._sizes.pieces
        sold, resold = len(orders_of(sale.rush)), len(orders_of(sale.again))
        paid = sale.level["deducted"]
        if paid != pieces or sale.level["available"] or sale.level["reserved"]:
            sale.wrong.append(f"in the end all {pieces} pieces should be sold and paid: {sale.level}")
        for when, level in (("after the rush", sale.level_after_rush), ("in the end", sale.level)):
            if level["reserved"] + level["deducted"] > pieces:
                sale.wrong.append(f"oversold {when}: {level}")
        # Whoever looks before the last piece is taken passes the gate: at most one on each connection, in the rush and
        # again in the resale.
        most = sold + resold + 2 * self._sizes.connections
        if sale.runs > most:
            sale.wrong.append(f"{sale.runs} runs for {sold + resold} orders: the gate let too many through")
        if len(sale.rush) != self._sizes.buyers:
            sale.wrong.append(f"only {len(sale.rush)} of {self._sizes.buyers} were answered")


async def hold(sizes: Sizes, show: Show) -> Sale:
    show.begin("flash sale: starting the servers", 6)
    async with a_stage(payment_window_s=sizes.window_s) as stage:
        settings = stage.settings_for("orders")
        async with stage.worker(settings):
            return await FlashSale(stage, sizes, show).run()
