"""Stories of the trade: coupons, goods gone when paid, presale, virtual goods, back-orders, split at placement."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.order.acts import Reschedule
from domain.order.cart import Cart, SplitTiming
from domain.order.order_number import parse
from domain.order.product import DeliveryMode
from domain.order.status import Actor, Status
from domain.order.stock import PurchaseLimit, StockPolicy
from store.stock.changes import set_limit
from tests.replay.stage import FAR, Stage, story
from tests.support.shop import Person, until
from tests.support.trade import cart, coupon, merchant, policy, promote, shelve


async def placed(on: Stage, asked: Cart, **terms: Any) -> str:
    placement = await on.shop.ask(asked, **terms)
    assert placement.refusal is None, placement.refusal
    on.about.append(placement.order_no)
    return placement.order_no


async def with_coupon(on: Stage) -> Cart:
    person, owner = Person(), merchant()
    sku = await on.shop.sku(merchant=owner)
    off = await promote(on.shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    return cart(on.shop, person, 800, (sku, 1), coupons=(await coupon(on.shop, off, person.buyer_id),))


@story()
async def coupon_redeemed(on: Stage) -> None:
    order_no = await placed(on, await with_coupon(on))
    await on.shop.pay(order_no)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def coupon_given_back(on: Stage) -> None:
    order_no = await placed(on, await with_coupon(on))
    await on.shop.pay(order_no)
    await on.shop.split(order_no)
    await on.shop.cancel(order_no)
    await on.shop.ended(order_no)


@story()
async def coupon_gone(on: Stage) -> None:
    asked = await with_coupon(on)
    await placed(on, asked, payment_window_s=6)
    refused = await on.shop.ask(asked)
    assert refused.refusal is not None
    on.about.append(refused.order_no)


async def gone_when_paid(on: Stage, lines: int, **terms: Any) -> str:
    owner = merchant()
    gone, there = await on.shop.sku(merchant=owner, pieces=1), await on.shop.sku(merchant=owner)
    await policy(on.shop, owner, StockPolicy.DEDUCT_ON_PAYMENT)
    wanted = ((gone, 1), (there, 1))[:lines]
    order_no = await placed(on, cart(on.shop, Person(), 1_000 * lines, *wanted), **FAR, **terms)
    rival = await on.shop.place([gone])
    await on.shop.pay(rival)
    await on.shop.split(rival)
    await on.shop.pay(order_no)
    return order_no


@story()
async def a_line_gone_when_paid(on: Stage) -> None:
    order_no = await gone_when_paid(on, 2)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def all_gone_when_paid(on: Stage) -> None:
    await on.shop.ended(await gone_when_paid(on, 1))


async def of_one_sku(on: Stage, pieces: int = 1, **product: Any) -> str:
    """The order, paid."""
    sku = await on.shop.sku(merchant=merchant(), **product)
    order_no = await placed(on, cart(on.shop, Person(), 1_000 * pieces, (sku, pieces)))
    await on.shop.pay(order_no)
    return order_no


@story()
async def presale_rescheduled(on: Stage) -> None:
    today = datetime.now(UTC).date()
    order_no = await of_one_sku(on, ships_from=today + timedelta(days=3))
    (number,) = await on.shop.split(order_no)
    moved = Reschedule(actor=Actor.MERCHANT, ships_from=today)
    assert (await on.shop.acts.reschedule(parse(number), moved)).refused is None
    await on.shop.when(order_no, lambda view: view.sub_orders[0].handed_over_at is not None)
    await on.received(number)
    await on.shop.ended(order_no)


@story(open=True)
async def presale_waiting(on: Stage) -> None:
    order_no = await of_one_sku(on, ships_from=datetime.now(UTC).date() + timedelta(days=30))
    await on.shop.split(order_no)


@story()
async def virtual_goods_granted(on: Stage) -> None:
    order_no = await of_one_sku(on, pieces=2, delivery_mode=DeliveryMode.VIRTUAL)
    view = await on.shop.when(
        order_no, lambda view: bool(view.sub_orders) and view.sub_orders[0].status is Status.SHIPPED
    )
    await on.shop.confirm(view.sub_orders[0].sub_order_no)
    await on.shop.ended(order_no)


@story()
async def back_order_arrives(on: Stage) -> None:
    owner = merchant()
    sku = await on.shop.sku(merchant=owner)
    await shelve(on.shop, owner, "w1", **{sku: 1})
    order_no = await placed(on, cart(on.shop, Person(), 2_000, (sku, 2)))
    await on.shop.pay(order_no)
    view = await on.shop.when(order_no, lambda view: bool(view.sub_orders))
    await shelve(on.shop, owner, "w1", **{sku: 1})
    late = next(part for part in view.sub_orders if "BACKORDER" in part.flags)
    await until(lambda: on.there(late.sub_order_no), bool)
    await on.shop.sub_run(late.sub_order_no).signal("try_again")
    await on.shop.when(order_no, lambda view: all(part.handed_over_at for part in view.sub_orders))
    await on.received(*(part.sub_order_no for part in view.sub_orders))
    await on.shop.ended(order_no)


@story()
async def back_order_never_arrives(on: Stage) -> None:
    owner = merchant()
    sku = await on.shop.sku(merchant=owner)
    await shelve(on.shop, owner, "w1")
    order_no = await placed(on, cart(on.shop, Person(), 1_000, (sku, 1)), backorder_window_s=1)
    await on.shop.pay(order_no)
    await on.shop.ended(order_no)


@story()
async def split_at_placement(on: Stage) -> None:
    asked = cart(on.shop, Person(), 2_000, (await on.shop.sku(), 1), (await on.shop.sku(merchant="m2"), 1))
    order_no = await placed(on, asked, split_timing=SplitTiming.AT_PLACEMENT)
    await on.shop.pay(order_no)
    await on.received(*await on.shop.split(order_no))
    await on.shop.ended(order_no)


@story()
async def stocked_and_cancelled(on: Stage) -> None:
    owner = merchant()
    sku = await on.shop.sku(merchant=owner)
    await shelve(on.shop, owner, "w1", **{sku: 1})
    order_no = await placed(on, cart(on.shop, Person(), 1_000, (sku, 1)))
    await on.shop.pay(order_no)
    await on.shop.split(order_no)
    await on.shop.cancel(order_no)
    await on.shop.ended(order_no)


@story()
async def over_the_purchase_limit(on: Stage) -> None:
    sku, person = await on.shop.sku(), Person()
    await set_limit(on.shop.engine, PurchaseLimit(sku=sku, pieces=1, window_s=3_600), "tests")
    refused = await on.shop.ask(cart(on.shop, person, 2_000, (sku, 2)))
    assert refused.refusal is not None
    on.about.append(refused.order_no)
