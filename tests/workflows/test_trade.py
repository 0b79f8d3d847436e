"""Orders by the rules of the trade, on the real servers: discounts and coupons, gifts, freight, shelves."""

import asyncio

import pytest

from domain.order.cart import SplitTiming
from domain.order.lines import RefusalCode
from domain.order.status import CloseReason, Status
from domain.order.stock import PurchaseLimit, StockPolicy
from domain.splitting.freight import FreightTemplate
from store.stock.changes import set_limit
from tests.support.endings import books_balance
from tests.support.shop import Person, Shop, until
from tests.support.trade import buy, cart, coupon, coupon_state, merchant, ordered, policy, promote, shelf, shelve


async def a_coupon(shop: Shop, person: Person) -> tuple[str, str, str]:
    """A SKU at 1,000, and a coupon of 200 off for it: the SKU, the coupon, its promotion."""
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    return sku, await coupon(shop, off, person.buyer_id), off


# --- coupons


async def test_a_coupon_is_taken_at_placement_and_redeemed_at_payment(shop: Shop) -> None:
    person = Person()
    sku, mine, off = await a_coupon(shop, person)
    placed = await ordered(shop, cart(shop, person, 800, (sku, 1), coupons=(mine,)))
    assert await coupon_state(shop, mine) == "TAKEN"
    await shop.pay(placed.order_no)
    (number,) = await shop.split(placed.order_no)
    assert await coupon_state(shop, mine) == "REDEEMED"
    view = await shop.show(placed.order_no)
    assert [(share.promotion_id, share.amount_fen) for share in view.lines[0].discounts] == [(off, 200)]
    await shop.ship(number)
    await shop.confirm(number)
    await shop.ended(placed.order_no)
    await books_balance(shop, placed.order_no)


async def test_edge_23_five_orders_at_once_with_one_coupon_make_one_order_and_hold_nothing_else(shop: Shop) -> None:
    person = Person()
    sku, mine, _ = await a_coupon(shop, person)
    asked = cart(shop, person, 800, (sku, 1), coupons=(mine,))
    answers = await asyncio.gather(*(shop.ask(asked) for _ in range(5)))
    refused = [answer.refusal.code for answer in answers if answer.refusal is not None]
    assert refused == [RefusalCode.COUPON_GONE] * 4
    assert (await shop.level(sku))["reserved"] == 1


async def test_edge_30_an_order_that_is_refused_or_closes_gives_the_coupon_back(shop: Shop) -> None:
    """Unpaid, cancelled before the payment, cancelled after the split: each time it can be used again."""
    person = Person()
    sku, mine, _ = await a_coupon(shop, person)
    asked = cart(shop, person, 800, (sku, 1), coupons=(mine,))
    too_many = cart(shop, person, 10_800, (sku, 11), coupons=(mine,))
    refused = await shop.ask(too_many)
    assert refused.refusal is not None and refused.refusal.code is RefusalCode.OUT_OF_STOCK
    assert await coupon_state(shop, mine) == "AVAILABLE"
    unpaid = await ordered(shop, asked, payment_window_s=1)
    assert (await shop.ended(unpaid.order_no)).close_reason is CloseReason.UNPAID
    assert await coupon_state(shop, mine) == "AVAILABLE"
    let_go = await ordered(shop, asked)
    await shop.cancel(let_go.order_no)
    await shop.ended(let_go.order_no)
    assert await coupon_state(shop, mine) == "AVAILABLE"
    order_no = await buy(shop, asked)
    await shop.cancel(order_no)
    await shop.ended(order_no)
    assert await coupon_state(shop, mine) == "AVAILABLE"


async def test_a_coupon_stays_used_while_a_part_of_its_order_lives(shop: Shop) -> None:
    """It goes back when the last part is closed, and not before."""
    person = Person()
    sku, mine, _ = await a_coupon(shop, person)
    other = await shop.sku(merchant=merchant())
    order_no = await buy(shop, cart(shop, person, 1_800, (sku, 1), (other, 1), coupons=(mine,)))
    first, second = await shop.split(order_no)
    await shop.cancel(first)
    await until(lambda: shop.show(order_no), lambda view: bool(view.refunds))
    assert await coupon_state(shop, mine) == "REDEEMED"
    await shop.cancel(second)
    await shop.ended(order_no)
    await until(lambda: coupon_state(shop, mine), lambda state: state == "AVAILABLE")


# --- stock by policy, limits


async def test_edge_4_goods_that_are_gone_when_they_are_paid_are_paid_back_at_once_and_the_rest_ships(
    shop: Shop,
) -> None:
    """Also edge 31: the lines that are there do not wait for the one that is not."""
    owner = merchant()
    gone, there = await shop.sku(merchant=owner, pieces=1), await shop.sku(merchant=owner)
    await policy(shop, owner, StockPolicy.DEDUCT_ON_PAYMENT)
    placed = await ordered(shop, cart(shop, Person(), 2_000, (gone, 1), (there, 1)))
    rival = await buy(shop, cart(shop, Person(), 1_000, (gone, 1)))
    await shop.pay(placed.order_no)
    view = await shop.when(placed.order_no, lambda view: any(refund.state == "DONE" for refund in view.refunds))
    assert [refund.amount_fen for refund in view.refunds] == [1_000]
    assert [line.closed for line in view.lines] == [1, 0]
    (number,) = await shop.split(placed.order_no)
    for sub in (number, *await shop.split(rival)):
        await shop.ship(sub)
        await shop.confirm(sub)
    assert (await shop.ended(placed.order_no)).status is Status.COMPLETED
    assert await shop.level(gone) == {"sellable_total": 1, "available": 0, "reserved": 0, "deducted": 1}
    await books_balance(shop, placed.order_no)


@pytest.mark.parametrize(("lines", "closes"), [(1, False), (2, True)])
async def test_paid_goods_that_are_gone_close_the_order_when_they_are_all_of_it_or_the_platform_says_so(
    shop: Shop, lines: int, closes: bool
) -> None:
    owner = merchant()
    gone, there = await shop.sku(merchant=owner, pieces=1), await shop.sku(merchant=owner)
    await policy(shop, owner, StockPolicy.DEDUCT_ON_PAYMENT)
    wanted = ((gone, 1), (there, 1))[:lines]
    asked = cart(shop, Person(), 1_000 * lines, *wanted)
    placed = await ordered(shop, asked, shortage_closes_order=closes)
    await buy(shop, cart(shop, Person(), 1_000, (gone, 1)))
    await shop.pay(placed.order_no)
    assert (await shop.ended(placed.order_no)).close_reason is CloseReason.OUT_OF_STOCK
    view = await shop.show(placed.order_no)
    assert [(refund.amount_fen, refund.state) for refund in view.refunds] == [(1_000 * lines, "DONE")]
    assert await shop.level(there) == {"sellable_total": 10, "available": 10, "reserved": 0, "deducted": 0}
    await books_balance(shop, placed.order_no)


async def test_edge_20_a_policy_that_is_switched_mid_order_leaks_no_stock(shop: Shop) -> None:
    """The line keeps the policy it was placed under, both ways."""
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    reserved = await ordered(shop, cart(shop, Person(), 1_000, (sku, 1)))
    await policy(shop, owner, StockPolicy.DEDUCT_ON_PAYMENT)
    promised = await ordered(shop, cart(shop, Person(), 1_000, (sku, 1)))
    await policy(shop, owner, StockPolicy.RESERVE_ON_PLACEMENT)
    assert (await shop.level(sku))["reserved"] == 1
    for placed in (reserved, promised):
        await shop.cancel(placed.order_no)
        await shop.ended(placed.order_no)
    assert await shop.level(sku) == {"sellable_total": 10, "available": 10, "reserved": 0, "deducted": 0}


async def test_a_purchase_limit_refuses_with_what_is_left_and_a_closed_order_does_not_count(shop: Shop) -> None:
    sku, person = await shop.sku(), Person()
    await set_limit(shop.engine, PurchaseLimit(sku=sku, pieces=2, window_s=3_600), "tests")
    first = await ordered(shop, cart(shop, person, 1_000, (sku, 1)))
    two_more = cart(shop, person, 2_000, (sku, 2))
    refused = (await shop.ask(two_more)).refusal
    assert refused is not None
    assert (refused.code, refused.remedy) == (RefusalCode.PURCHASE_LIMIT, "take 1 of it")
    await shop.cancel(first.order_no)
    await shop.ended(first.order_no)
    await ordered(shop, two_more)


# --- gifts, freight


async def test_a_gift_is_reserved_shipped_and_given_back_like_what_it_comes_with(shop: Shop) -> None:
    owner = merchant()
    sku, present = await shop.sku(merchant=owner), await shop.sku(merchant=owner, pieces=1)
    await promote(shop, kind="GIFT", skus=[sku], threshold_pieces=2, gift_sku=present)
    asked = cart(shop, Person(), 2_000, (sku, 2))
    order_no = await buy(shop, asked)
    assert (await shop.level(present))["deducted"] == 1
    (part,) = (await shop.show(order_no)).sub_orders
    assert [(line.sku, line.pay_fen) for line in part.lines] == [(sku, 2_000), (present, 0)]
    without = await ordered(shop, asked)  # the last one is given: no promise that can't be kept
    assert [line.sku for line in (await shop.show(without.order_no)).lines] == [sku]
    await shop.cancel(order_no)
    await shop.ended(order_no)
    await until(lambda: shop.level(present), lambda level: level["available"] == 1)


async def test_freight_is_paid_with_the_order_and_back_with_the_part_that_it_was_for(shop: Shop) -> None:
    heavy, light = merchant(), merchant()
    await shop.catalog.put_freight(
        [FreightTemplate(merchant=heavy, first_g=1_000, first_fee_fen=700, further_g=1_000, further_fee_fen=100)]
    )
    stone = await shop.sku(merchant=heavy, weight_g=2_500)
    book = await shop.sku(merchant=light, weight_g=100)
    order_no = await buy(shop, cart(shop, Person(), 2_900, (stone, 1), (book, 1)))
    view = await shop.show(order_no)
    assert view.shipping_fen == sum(part.shipping_fen for part in view.sub_orders) == 900
    await shop.cancel(order_no)
    await shop.ended(order_no)
    assert sum(refund.amount_fen for refund in (await shop.show(order_no)).refunds) == 2_900
    await books_balance(shop, order_no)


# --- warehouses


async def test_edge_19_pieces_of_two_warehouses_are_two_sub_orders_and_lie_there_again_when_it_is_cancelled(
    shop: Shop,
) -> None:
    owner = merchant()
    sku = await shop.sku(merchant=owner, pieces=2)
    await shelve(shop, owner, "w1", **{sku: 1})
    await shelve(shop, owner, "w2", **{sku: 1})
    order_no = await buy(shop, cart(shop, Person(), 2_000, (sku, 2)))
    assert sorted(part.warehouse or "" for part in (await shop.show(order_no)).sub_orders) == ["w1", "w2"]
    assert await shelf(shop, sku) == {"w1": (0, 1, 0), "w2": (0, 1, 0)}
    await shop.cancel(order_no)
    await shop.ended(order_no)
    assert await shelf(shop, sku) == {"w1": (1, 0, 0), "w2": (1, 0, 0)}
    assert (await shop.level(sku))["available"] == 2


async def test_what_ships_leaves_the_shelf(shop: Shop) -> None:
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "w1", **{sku: 3})
    order_no = await buy(shop, cart(shop, Person(), 2_000, (sku, 2)))
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    await until(lambda: shelf(shop, sku), lambda seen: seen == {"w1": (1, 0, 2)})
    await shop.confirm(number)
    await shop.ended(order_no)


async def test_split_at_placement_tells_the_numbers_at_once_and_keeps_them(shop: Shop) -> None:
    """The buyer sees the parts to come while nothing is paid; the parts that come are those."""
    asked = cart(shop, Person(), 2_000, (await shop.sku(), 1), (await shop.sku(merchant="m2"), 1))
    placed = await ordered(shop, asked, split_timing=SplitTiming.AT_PLACEMENT)
    view = await shop.show(placed.order_no)
    assert [part.sub_order_no for part in view.planned] == placed.sub_orders
    assert len(placed.sub_orders) == 2 and not view.sub_orders
    await shop.pay(placed.order_no)
    assert await shop.split(placed.order_no) == placed.sub_orders
    assert not (await shop.show(placed.order_no)).planned
