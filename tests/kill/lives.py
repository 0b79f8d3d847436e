"""The lives that orders lead under kills, and the steps of each after which its worker is killed once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from acts.checkout import Accepted, Unavailable
from domain.order.order_number import parse
from domain.order.status import CloseReason, Status
from domain.risk import Decision
from tests.support.endings import books_balance, no_stray
from tests.support.shop import Person, Shop, T, until
from tests.support.stories import suspicious
from tests.support.trade import coupon, coupon_state, merchant, promote, shelf, shelve

OFF_FEN = 200


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """As a caller does whose request got no answer: ask again until there is one."""
    while True:
        with suppress(Unavailable):
            return await act()
        await asyncio.sleep(0.2)


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


Life = Callable[[Order], Awaitable[None]]
AFTER: dict[Life, tuple[str, ...]] = {
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
BEFORE: dict[Life, tuple[str, ...]] = {  # calls that leave the house
    completed: ("create_payment", "hand_over"),
    cancelled: ("refund",),
}
