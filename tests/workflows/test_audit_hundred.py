"""A hundred orders are terminated at random stages: after one sweep, and the endings of the runs it started again,
nothing is held."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from temporalio.service import RPCError

from domain.order.cart import Cart
from domain.order.status import Status
from tests.support.audits import approve, audit, terminate
from tests.support.shop import Person, Shop, until
from tests.support.stories import paid, suspicious
from tests.support.trade import cart, coupon, merchant, promote, shelve

ORDERS = 100
SEED = 11
AT_ONCE = 10
UNPAID_WINDOW_S = 20


async def a_few_at_once(acts: Iterable[Awaitable[None]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(act: Awaitable[None]) -> None:
        async with places:
            await act

    await asyncio.gather(*(one(act) for act in acts))


class Crowd:
    """Orders of one SKU with a coupon each, and how far they have come."""

    def __init__(self, shop: Shop, sku: str, promotion: str) -> None:
        self.shop, self.sku, self.promotion = shop, sku, promotion
        self.stage: dict[str, str] = {}

    async def cart(self, person: Person) -> Cart:
        code = await coupon(self.shop, self.promotion, person.buyer_id)
        return cart(self.shop, person, 800, (self.sku, 1), coupons=(code,))

    async def place(self, person: Person | None = None, **terms: int) -> str:
        placement = await self.shop.ask(await self.cart(person or Person()), **terms)
        assert placement.refusal is None, placement.refusal
        return placement.order_no

    async def unpaid(self) -> str:
        return await self.place(payment_window_s=600)

    async def told_nobody(self) -> str:
        """Terminated at once: its payment may not have been opened. It comes to its deadline."""
        order_no = await self.place(payment_window_s=UNPAID_WINDOW_S)
        await self.shop.run(order_no).terminate("by mistake")
        return order_no

    async def split(self) -> str:
        order_no = await self.place()
        await paid(self.shop, order_no)
        return order_no

    async def handed_over(self) -> str:
        order_no = await self.split()
        await self.shop.when(order_no, lambda view: view.sub_orders[0].handed_over_at is not None)
        return order_no

    async def shipped(self) -> str:
        order_no = await self.handed_over()
        (number,) = await self.shop.split(order_no)
        assert (await self.shop.ship(number)).refused is None
        return order_no

    async def closing(self) -> str:
        """Somewhere in the closing, or just done with it."""
        order_no = await self.split()
        await self.shop.cancel(order_no)
        return order_no

    async def in_review(self, person: Person) -> str:
        order_no = await self.place(person, review_window_s=600)
        await self.shop.pay(order_no)
        await self.shop.when_status(order_no, Status.AWAITING_SHIPMENT)
        return order_no

    async def come(self, stages: list[str], reviewed: Person) -> None:
        async def one(stage: str) -> None:
            play: Callable[..., Awaitable[str]] = getattr(self, stage)
            self.stage[await (play(reviewed) if stage == "in_review" else play())] = stage

        await a_few_at_once(one(stage) for stage in stages)

    async def end(self, order_no: str) -> None:
        """The parties do their part of what is left."""
        stage = self.stage[order_no]
        if stage == "unpaid":
            assert (await self.shop.cancel(order_no)).refused is None
        if stage == "in_review":
            await approve(self.shop, order_no)
        if stage in ("split", "handed_over", "shipped", "in_review"):
            (number,) = await self.shop.split(order_no)
            if stage != "shipped":
                assert (await self.shop.ship(number)).refused is None
            assert (await self.shop.confirm(number)).refused is None
            await until(lambda: self.nudged(order_no), bool)
        assert (await self.shop.ended(order_no)).status in (Status.COMPLETED, Status.CLOSED)

    async def nudged(self, order_no: str) -> bool:
        """A run that follows a sub-order's run of before looks now, not when its pause is over."""
        described = await self.shop.run(order_no).describe()
        if described.close_time is None:
            with contextlib.suppress(RPCError):  # it has just ended
                await self.shop.run(order_no).signal("try_again")
        return described.close_time is not None


async def test_a_hundred_orders_terminated_at_random_stages_leave_nothing_held(shop: Shop) -> None:
    chosen = random.Random(SEED)
    owner = merchant()
    sku = await shop.sku(merchant=owner, pieces=ORDERS)
    await shelve(shop, owner, "w1", **{sku: ORDERS})
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    crowd = Crowd(shop, sku, off)
    kinds = ["unpaid", "told_nobody", "split", "handed_over", "shipped", "closing"]
    stages = chosen.choices(kinds, k=ORDERS - 5) + ["in_review"] * 5
    await crowd.come(stages, await suspicious(shop))
    await lose_all(shop, list(crowd.stage), chosen)

    report = await audit(shop)

    assert [one for one in report.found if one.order_no in crowd.stage] == []
    assert report.started_again >= ORDERS // 2
    await a_few_at_once(crowd.end(order_no) for order_no in crowd.stage)
    await nothing_held(shop, sku, crowd)
    again = await audit(shop)
    assert [one for one in again.done if one.split(":")[0] in crowd.stage] == []


async def lose_all(shop: Shop, order_nos: list[str], chosen: random.Random) -> None:
    """Every order's run, and of some their sub-orders' too. One that has ended already can't be terminated."""

    async def lose(order_no: str, *, all_of_it: bool) -> None:
        with contextlib.suppress(RPCError):
            await terminate(shop, order_no)
        if all_of_it:
            for part in (await shop.show(order_no)).sub_orders:
                with contextlib.suppress(RPCError):
                    await shop.sub_run(part.sub_order_no).terminate("by mistake")

    await a_few_at_once(lose(order_no, all_of_it=chosen.random() < 0.5) for order_no in order_nos)


async def nothing_held(shop: Shop, sku: str, crowd: Crowd) -> None:
    numbers = [int(order_no) for order_no in crowd.stage]
    states = Counter(
        row.status for row in await shop.sql("SELECT status FROM orders WHERE order_no = ANY(:nos)", nos=numbers)
    )
    assert set(states) == {"COMPLETED", "CLOSED"}
    sold = states["COMPLETED"]
    assert await shop.level(sku) == {
        "sellable_total": ORDERS,
        "available": ORDERS - sold,
        "reserved": 0,
        "deducted": sold,
    }
    (shelf,) = await shop.sql("SELECT available, reserved, shipped FROM physical_stock WHERE sku = :sku", sku=sku)
    assert tuple(shelf) == (ORDERS - sold, 0, sold)
    coupons = await shop.sql(
        "SELECT state, count(*) AS n FROM coupons WHERE promotion_id = :p GROUP BY 1", p=crowd.promotion
    )
    assert {row.state: row.n for row in coupons} == {"REDEEMED": sold, "AVAILABLE": ORDERS - sold}
    undone = "SELECT 1 FROM refunds WHERE order_no = ANY(:nos) AND state <> 'DONE'"
    assert await shop.sql(undone, nos=numbers) == []
