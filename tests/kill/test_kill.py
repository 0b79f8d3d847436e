"""SIGKILL the worker right after each activity's commit: after the restart the effect is there once.

Each order is killed at one point of its own; all are in flight at once, so that the timeouts of many run together.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from acts.checkout import Accepted, Unavailable
from domain.order.order_number import parse
from domain.order.status import CloseReason, Status
from domain.risk import Decision
from runtime.embedded import Postgres
from store.database.engine import engine_for
from tests.support.endings import books_balance, no_stray
from tests.support.servers import ROOT, a_database, a_sandbox, a_webhook, open_shop
from tests.support.shop import Person, Shop, T, until
from tests.support.stories import suspicious
from tests.support.trade import coupon, coupon_state, merchant, promote, shelf, shelve


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """As a caller does whose request got no answer: ask again until there is one."""
    while True:
        with suppress(Unavailable):
            return await act()
        await asyncio.sleep(0.2)


def log_of(kills: Path, queue: str) -> Path:
    return kills / f"{queue}.log"


def last_words(kills: Path) -> str:
    """What the workers said in the end, should an order be stuck."""
    return "\n".join(f"{log.name}: {log.read_text()[-1_000:]}" for log in sorted(kills.glob("*.log")))


async def keep_restarting(shop: Shop, kills: Path, restarts: list[int]) -> None:
    """What a process manager does."""
    environment = {**os.environ, **shop.settings.environment(), "KILL_DIR": str(kills)}
    environment["TEMPORAL_ADDRESS"] = shop.client.service_client.config.target_host
    while True:
        with log_of(kills, shop.settings.task_queue).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.kill.worker", cwd=ROOT, env=environment, stderr=log
            )
        try:
            restarts.append(await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def mortal(shop: Shop, kills: Path, queue: str, restarts: list[int]) -> AsyncIterator[Shop]:
    """A shop whose worker is killed as planned, and started again."""
    async with open_shop(
        shop.client,
        shop.settings.database_url,
        shop.engine,
        shop.settings.sandbox_port,
        queue,
        workflow_task_timeout_s=2,
        sticky_timeout_s=1,
    ) as killed:
        keeping = asyncio.create_task(keep_restarting(killed, kills, restarts))
        try:
            yield killed
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


class Order:
    """One order with its own merchant-less life: placed, paid or not, shipped or not, under kills of its own."""

    def __init__(self, shop: Shop, kills: Path, point: str) -> None:
        self.shop, self.kills, self.point = shop, kills, point
        self.person = Person()

    def plan(self) -> None:
        (self.kills / f"{self.person.buyer_id % 1_000_000:06d}@{self.point}").touch()

    @property
    def planned(self) -> bool:
        return (self.kills / f"{self.person.buyer_id % 1_000_000:06d}@{self.point}").exists()

    async def placed(self, sku: str, person: Person | None = None, coupon: str = "", **terms: Any) -> str:
        self.person = person or self.person
        self.plan()
        cart = self.shop.cart([sku], self.person, expected_fen=1000 - (OFF_FEN if coupon else 0))
        cart = cart.model_copy(update={"coupons": [coupon] if coupon else []})
        checkout = self.shop.checkout(wait_s=3.0, **terms)
        key = f"kill-{self.person.buyer_id}"
        answer = await insist(lambda: checkout.place("test", key, cart))
        while isinstance(answer, Accepted):
            answer = await insist(lambda: checkout.place("test", key, cart))
        assert answer.refusal is None, answer
        return answer.order_no


async def completed(order: Order) -> None:
    sku = await order.shop.sku()
    await until_received(order, await order.placed(sku), sku)


async def with_a_coupon_from_our_shelf(order: Order) -> None:
    sku, code = await shelved(order)
    await until_received(order, await order.placed(sku, coupon=code), sku)
    assert await coupon_state(order.shop, code) == "REDEEMED"
    assert await shelf(order.shop, sku) == {"w1": (9, 0, 1)}


async def with_a_coupon_cancelled(order: Order) -> None:
    sku, code = await shelved(order)
    await cancel_once_split(order, await order.placed(sku, coupon=code), sku)
    assert await coupon_state(order.shop, code) == "AVAILABLE"
    assert await shelf(order.shop, sku) == {"w1": (10, 0, 0)}


async def shelved(order: Order) -> tuple[str, str]:
    """Goods that lie in a warehouse of our ledger, and a coupon for them."""
    shop, owner = order.shop, merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "w1", **{sku: 10})
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=OFF_FEN)
    return sku, await coupon(shop, off, order.person.buyer_id)


async def until_received(order: Order, order_no: str, sku: str) -> None:
    shop = order.shop
    await shop.pay(order_no)
    view = await shop.when(order_no, lambda view: bool(view.sub_orders), 120)
    number, owner = view.sub_orders[0].sub_order_no, view.sub_orders[0].merchant
    await until(lambda: handed(shop, owner, number), lambda times: times == 1, 120)
    for act in (shop.ship, shop.deliver, shop.confirm):
        answer = await insist(lambda act=act: act(number))  # type: ignore[misc]
        assert answer.refused is None or act is not shop.confirm, answer
    assert (await shop.ended(order_no, 120)).status is Status.COMPLETED
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)
    assert await shop.level(sku) == {"sellable_total": 10, "available": 9, "reserved": 0, "deducted": 1}
    assert await handed(shop, owner, number) == 1


async def handed(shop: Shop, owner: str, number: str) -> int:
    parcels = (await shop.http.get(f"/merchants/{owner}/hand-overs")).json()
    return sum(parcel["sub_order_no"] == number for parcel in parcels)


async def unpaid(order: Order) -> None:
    sku = await order.shop.sku()
    order_no = await order.placed(sku, payment_window_s=1)
    await given_back(order, order_no, sku, CloseReason.UNPAID)


async def cancelled(order: Order) -> None:
    sku = await order.shop.sku()
    await cancel_once_split(order, await order.placed(sku), sku)


async def cancel_once_split(order: Order, order_no: str, sku: str) -> None:
    shop = order.shop
    await shop.pay(order_no)
    await shop.when(order_no, lambda view: bool(view.sub_orders), 120)
    await insist(lambda: shop.cancel(order_no))
    await given_back(order, order_no, sku, CloseReason.CANCELLED_BY_BUYER)
    assert len((await shop.show(order_no)).refunds) == 1


async def reviewed(order: Order) -> None:
    shop, sku = order.shop, await order.shop.sku()
    order_no = await order.placed(sku, await suspicious(shop))
    await until(lambda: shop.show(order_no), lambda view: bool(view.attention), 120)
    decision = Decision(approved=False, author="ann", note="a reseller")
    await insist(lambda: shop.acts.decide_risk(parse(order_no), decision))
    await given_back(order, order_no, sku, CloseReason.RISK_REJECTED)


async def stray(order: Order) -> None:
    shop, sku = order.shop, await order.shop.sku()
    order_no = await order.placed(sku, payment_window_s=1)
    await shop.ended(order_no, 120)
    await shop.pay(order_no, force=True, amount_fen=1000)
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)


async def given_back(order: Order, order_no: str, sku: str, reason: CloseReason) -> None:
    shop = order.shop
    assert (await shop.ended(order_no, 120)).close_reason is reason
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)
    assert await shop.level(sku) == {"sellable_total": 10, "available": 10, "reserved": 0, "deducted": 0}


AFTER = {
    completed: (
        *("screen_buyer", "price_cart", "reserve_stock", "record_order", "create_payment", "assess_risk"),
        *("accept_payment", "deduct_stock", "split_order", "hand_over", "record_shipped", "record_delivered"),
        "record_received",
    ),
    unpaid: ("close_payment", "release_stock", "close_order"),
    cancelled: ("close_sub_orders", "restock", "refund"),
    with_a_coupon_from_our_shelf: ("take_coupons", "redeem_coupons", "ship_goods"),
    with_a_coupon_cancelled: ("give_back_coupons", "put_back_goods"),
    reviewed: ("record_attention", "record_risk_decision"),
    stray: ("take_stray_payment",),
}


POINTS = [(life, point) for life, points in AFTER.items() for point in points] + [
    (completed, "create_payment@before"),
    (completed, "hand_over@before"),
    (cancelled, "refund@before"),
]
OFF_FEN = 200
MOST_S = 240  # an order that is stuck says which it is
GROUPS = 5  # each with a worker of its own: a kill sets back only the orders of its group


@pytest.fixture
async def killers(postgres: Postgres, client: Client) -> AsyncIterator[Shop]:
    """A shop with a database and a sandbox of its own, so that no worker but those to be killed has a hand in it."""
    database = await a_database(postgres, "killed")
    engine = engine_for(database)
    async with (
        a_webhook(engine) as url,
        a_sandbox(url) as port,
        open_shop(client, database, engine, port, "none") as shop,
    ):
        yield shop
    await engine.dispose()


async def test_killed_right_after_each_commit_every_effect_is_there_once(killers: Shop, tmp_path: Path) -> None:
    """Each life has one SIGKILL right after a commit (or, for calls that leave the house, also before the call)."""
    restarts: list[int] = []
    started = asyncio.get_running_loop().time()

    async def group(number: int) -> dict[str, object]:
        async with mortal(killers, tmp_path, f"killed-{number}", restarts) as killed:
            orders = [(life, Order(killed, tmp_path, point)) for life, point in POINTS[number::GROUPS]]
            lives = (asyncio.wait_for(life(order), MOST_S) for life, order in orders)
            ends = await asyncio.gather(*lives, return_exceptions=True)
            missed = {order.point: "was never reached" for _, order in orders if order.planned}
            failed = {order.point: repr(end) for (_, order), end in zip(orders, ends, strict=True) if end is not None}
            return {**missed, **failed}

    failed: dict[str, object] = {}
    for of_group in await asyncio.gather(*(group(number) for number in range(GROUPS))):
        failed |= of_group
    said = "\n".join(f"{point}: {what}" for point, what in failed.items())
    assert not failed, f"{said}\n{last_words(tmp_path)}"
    assert len(restarts) == len(POINTS), "one kill for each point"
    took = asyncio.get_running_loop().time() - started
    print(f"{len(POINTS)} kill points, {len(restarts)} kills, {took:.0f} s")
