"""Cases of after-sale on the real servers: each way to each ending."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from acts.after_sales import NoSuchCase
from domain.after_sale.case import CaseAction, CaseStatus
from domain.order.product import DeliveryMode
from domain.order.status import AfterSaleFact, Status
from store.database.keys import KeyReused
from tests.support.after_sale import REFUND, RETURN, Counter, received
from tests.support.endings import books_balance
from tests.support.shop import Person, Shop, until
from tests.support.trade import buy, cart, coupon, coupon_state, merchant, promote

UNTOUCHED = {"sellable_total": 10, "available": 8, "reserved": 0, "deducted": 2}


@pytest.fixture
def at(shop: Shop) -> Counter:
    return Counter(shop)


async def a_sub_order(shop: Shop, pieces: int = 2, **terms: Any) -> tuple[str, str, str]:
    """One received SKU at 1,000 a piece: the SKU, the order, the sub-order."""
    sku = await shop.sku(merchant=merchant())
    return sku, *(await received(shop, (sku, pieces), **terms))


# --- to a refund


async def test_returned_inspected_and_refunded(shop: Shop, at: Counter) -> None:
    """Only what is sellable lies for sale again."""
    sku, order_no, number = await a_sub_order(shop)
    case_no = await at.sent_back(number, {1: 2})
    assert (await shop.show(order_no)).sub_orders[0].after_sale == AfterSaleFact.OPEN
    assert (await at.inspect(case_no, {1: 2}, sellable={1: 1})).refused is None
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 2_000
    view = await shop.show(order_no)
    assert [(refund.amount_fen, refund.state) for refund in view.refunds] == [(2_000, "DONE")]
    assert await shop.level(sku) == {"sellable_total": 10, "available": 9, "reserved": 0, "deducted": 1}
    assert view.sub_orders[0].after_sale == AfterSaleFact.SETTLED
    assert (view.status, view.attention) == (Status.COMPLETED, [])
    await books_balance(shop, order_no)


async def test_edge_21_a_refund_without_a_return_brings_no_stock_back(shop: Shop, at: Counter) -> None:
    sku, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 1}, REFUND)
    assert (await at.agree(case_no)).refused is None
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 1_000
    assert await shop.level(sku) == UNTOUCHED
    await books_balance(shop, order_no)


async def test_edge_17_a_part_returned_and_then_the_rest_brings_each_piece_back_once(shop: Shop, at: Counter) -> None:
    sku, order_no, number = await a_sub_order(shop)
    for available in (9, 10):
        case_no = await at.sent_back(number, {1: 1})
        await at.inspect(case_no, {1: 1})
        await at.when(case_no, CaseStatus.REFUNDED)
        assert (await shop.level(sku))["available"] == available
    assert (await shop.level(sku))["sellable_total"] == 10
    assert (await at.ask(number, {1: 1})).refused is not None
    await books_balance(shop, order_no)


async def test_edge_27_ten_single_returns_of_a_line_pay_back_what_was_paid(shop: Shop, at: Counter) -> None:
    """Three pieces for 1,000 less 1: 299 after a discount that no third divides."""
    owner = merchant()
    sku = await shop.sku(merchant=owner, price_fen=333)
    await promote(shop, skus=[sku], threshold_fen=900, off_fen=199)
    order_no, number = await received(shop, (sku, 3), fen=800)
    for _ in range(3):
        case_no = await at.opened(number, {1: 1}, REFUND)
        await at.agree(case_no)
        await at.when(case_no, CaseStatus.REFUNDED)
    amounts = [refund.amount_fen for refund in (await shop.show(order_no)).refunds]
    assert sum(amounts) == 800 and max(amounts) - min(amounts) <= 1
    await books_balance(shop, order_no)


async def test_edge_25_and_26_a_returned_line_takes_its_own_share_of_the_discount_and_no_more(
    shop: Shop, at: Counter
) -> None:
    owner = merchant()
    cheap, dear = await shop.sku(merchant=owner, price_fen=1_000), await shop.sku(merchant=owner, price_fen=3_000)
    await promote(shop, merchant=owner, threshold_fen=4_000, off_fen=400)
    order_no, number = await received(shop, (cheap, 1), (dear, 1), fen=3_600)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.agree(case_no)
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 900
    view = await shop.show(order_no)
    assert [line.pay_fen for line in view.lines] == [900, 2_700]
    second = await at.opened(number, {2: 1}, REFUND)
    await at.agree(second)
    assert (await at.when(second, CaseStatus.REFUNDED)).amount_fen == 2_700


async def test_of_what_is_accepted_in_part_the_rest_can_be_asked_for_again(shop: Shop, at: Counter) -> None:
    _, _, number = await a_sub_order(shop)
    case_no = await at.sent_back(number, {1: 2})
    assert (await at.inspect(case_no, {1: 3})).refused is not None
    assert (await at.inspect(case_no, {1: 1}, sellable={1: 2})).refused is not None
    assert (await at.inspect(case_no, {1: 1})).refused is None
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 1_000
    await at.opened(number, {1: 1})


async def test_the_coupon_goes_back_with_the_last_piece(shop: Shop, at: Counter) -> None:
    person, owner = Person(), merchant()
    sku = await shop.sku(merchant=owner)
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    mine = await coupon(shop, off, person.buyer_id)
    order_no = await buy(shop, cart(shop, person, 1_800, (sku, 2), coupons=(mine,)))
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    await shop.confirm(number)
    for state in ("REDEEMED", "AVAILABLE"):
        case_no = await at.opened(number, {1: 1}, REFUND)
        await at.agree(case_no)
        await at.when(case_no, CaseStatus.REFUNDED)
        assert await coupon_state(shop, mine) == state
    await books_balance(shop, order_no)


@pytest.mark.parametrize(("comes_back", "amount_fen"), [(True, 2_000), (False, 1_500)])
async def test_a_gift_that_does_not_come_back_is_taken_off_as_the_quote_said(
    shop: Shop, at: Counter, comes_back: bool, amount_fen: int
) -> None:
    owner = merchant()
    sku, present = await shop.sku(merchant=owner), await shop.sku(merchant=owner, pieces=1, price_fen=500)
    await promote(shop, kind="GIFT", skus=[sku], threshold_pieces=2, gift_sku=present)
    order_no, number = await received(shop, (sku, 2))
    asked = await at.ask(number, {1: 2})
    assert asked.facts is not None
    (given,) = asked.facts.gifts
    quotes = await shop.sql("SELECT quote FROM after_sales WHERE case_no = :no", no=asked.facts.case_no)
    assert [gift["value_fen"] for gift in quotes[0].quote["gifts_to_return"]] == [500]
    case_no = asked.facts.case_no
    await at.agree(case_no)
    await at.send_back(case_no)
    sellable, gifts_back = ({1: 2, given: 1}, [given]) if comes_back else ({1: 2}, [])
    assert (await at.inspect(case_no, {1: 2}, sellable, gifts_back)).refused is None
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == amount_fen
    assert (await shop.level(present))["available"] == int(comes_back)
    await books_balance(shop, order_no)


async def test_virtual_goods_are_refunded_and_never_sent_back(shop: Shop, at: Counter) -> None:
    sku = await shop.sku(merchant=merchant(), delivery_mode=DeliveryMode.VIRTUAL)
    order_no = await buy(shop, cart(shop, Person(), 1_000, (sku, 1)))
    view = await shop.when(order_no, lambda view: {sub.status for sub in view.sub_orders} == {Status.SHIPPED})
    number = view.sub_orders[0].sub_order_no
    refused = (await at.ask(number, {1: 1}, RETURN)).refused
    assert refused is not None and "can't be sent back" in refused.reason
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.agree(case_no)
    await at.when(case_no, CaseStatus.REFUNDED)
    await shop.confirm(number)


async def test_a_parcel_under_way_can_be_refunded_and_is_still_received(shop: Shop, at: Counter) -> None:
    """Also edge 31: the other line goes its way."""
    owner = merchant()
    first, second = await shop.sku(merchant=owner), await shop.sku(merchant=owner)
    order_no = await buy(shop, cart(shop, Person(), 2_000, (first, 1), (second, 1)))
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.agree(case_no)
    await at.when(case_no, CaseStatus.REFUNDED)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    await books_balance(shop, order_no)


# --- to another ending


async def test_refused_overruled_and_refunded(shop: Shop, at: Counter) -> None:
    _, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 1}, REFUND)
    assert (await at.refuse(case_no)).refused is None
    view = await shop.when(order_no, lambda view: bool(view.attention))
    assert [(mark.subject, mark.topic) for mark in view.attention] == [(case_no, "dispute")]
    assert (await at.overrule(case_no)).refused is None
    await at.when(case_no, CaseStatus.REFUNDED)
    await shop.when(order_no, lambda view: not view.attention)


async def test_refused_and_upheld_frees_the_pieces(shop: Shop, at: Counter) -> None:
    _, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 2})
    await at.refuse(case_no, "worn for a month")
    assert (await at.uphold(case_no)).refused is None
    assert (await at.run(case_no).result())["status"] == CaseStatus.REFUSED
    assert (await shop.show(order_no)).refunds == []
    await at.opened(number, {1: 2})


async def test_what_came_back_and_is_refused_can_be_overruled_without_a_second_return(shop: Shop, at: Counter) -> None:
    sku, _, number = await a_sub_order(shop)
    case_no = await at.sent_back(number, {1: 1})
    assert (await at.refuse(case_no, "it is a brick")).refused is None
    overruled = await at.overrule(case_no)
    assert overruled.facts is not None and overruled.facts.status is CaseStatus.REFUNDING
    await at.when(case_no, CaseStatus.REFUNDED)
    assert await shop.level(sku) == UNTOUCHED, "nobody said that it can be sold again"


async def test_withdrawn_until_the_refund_is_decided_and_not_after(shop: Shop, at: Counter) -> None:
    _, order_no, number = await a_sub_order(shop)
    first = await at.opened(number, {1: 2})
    assert (await at.withdraw(first, key="w1")).refused is None
    await at.run(first).result()
    assert (await at.withdraw(first, key="w1")).refused is None, "the same act again is the same answer"
    again = (await at.withdraw(first)).refused
    assert again is not None and (again.status, again.allowed) == (CaseStatus.WITHDRAWN, ())
    second = await at.opened(number, {1: 2}, REFUND)
    await at.agree(second)
    refused = (await at.withdraw(second)).refused
    assert refused is not None and refused.action is CaseAction.WITHDRAW
    await at.when(second, CaseStatus.REFUNDED)
    assert len((await shop.show(order_no)).refunds) == 1


# --- refused at once


async def test_nothing_is_opened_before_it_ships_or_of_what_is_not_there(shop: Shop, at: Counter) -> None:
    sku = await shop.sku(merchant=merchant())
    order_no = await buy(shop, cart(shop, Person(), 1_000, (sku, 1)))
    (number,) = await shop.split(order_no)
    early = (await at.ask(number, {1: 1})).refused
    assert early is not None and "before that, cancel it" in early.reason
    await shop.ship(number)
    for wanted in ({1: 2}, {2: 1}):
        assert (await at.ask(number, wanted)).refused is not None
    assert await shop.sql("SELECT 1 FROM after_sale_keys WHERE sub_order_no = :no", no=number) == []


async def test_the_window_of_the_orders_terms_ends_it(shop: Shop, at: Counter) -> None:
    _, _, number = await a_sub_order(shop, after_sale_window_s=1)
    await asyncio.sleep(1.1)
    refused = (await at.ask(number, {1: 1})).refused
    assert refused is not None and "the window for after-sale ended" in refused.reason


async def test_two_cases_for_the_last_piece_make_one(shop: Shop, at: Counter) -> None:
    _, _, number = await a_sub_order(shop, pieces=1)
    answers = await asyncio.gather(*(at.ask(number, {1: 1}) for _ in range(6)))
    assert len([answer for answer in answers if answer.refused is None]) == 1
    assert await shop.sql("SELECT count(*) FROM after_sales WHERE sub_order_no = :no", no=number) == [(1,)]


async def test_the_same_key_is_the_same_case_and_another_body_under_it_is_refused(shop: Shop, at: Counter) -> None:
    _, _, number = await a_sub_order(shop)
    answers = await asyncio.gather(*(at.ask(number, {1: 1}, key="k") for _ in range(5)))
    assert len({answer.facts.case_no for answer in answers if answer.facts is not None}) == 1
    with pytest.raises(KeyReused):
        await at.ask(number, {1: 2}, key="k")
    with pytest.raises(NoSuchCase):
        await at.agree(f"{number}A77")


async def test_agreed_refused_and_withdrawn_at_once_has_one_of_two_endings(shop: Shop, at: Counter) -> None:
    _, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 1}, REFUND)
    agreed, withdrawn = await asyncio.gather(at.agree(case_no), at.withdraw(case_no))
    assert (agreed.refused is None) is not (withdrawn.refused is None)
    await until(at.run(case_no).describe, lambda run: run.status is WorkflowExecutionStatus.COMPLETED)
    assert len((await shop.show(order_no)).refunds) == (0 if agreed.refused else 1)


# --- whatever happens


async def test_a_refund_that_fails_waits_for_a_person_and_heals(shop: Shop, at: Counter) -> None:
    _, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await shop.bad_days(refund_refuses=True)
    await at.agree(case_no)
    view = await shop.when(order_no, lambda view: bool(view.attention))
    assert [(mark.subject, mark.topic) for mark in view.attention] == [(case_no, "refund")]
    assert view.status is Status.COMPLETED
    await shop.bad_days()
    await at.run(case_no).signal("try_again")
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 1_000
    await shop.when(order_no, lambda view: not view.attention)
    await books_balance(shop, order_no)


async def test_a_case_that_needs_a_person_still_does_when_its_order_completes(shop: Shop, at: Counter) -> None:
    order_no = await buy(shop, cart(shop, Person(), 2_000, (await shop.sku(merchant=merchant()), 2)))
    (number,) = await shop.split(order_no)
    await shop.ship(number)
    case_no = await at.opened(number, {1: 1}, REFUND)
    assert (await at.refuse(case_no)).refused is None
    await shop.when(order_no, lambda view: bool(view.attention))
    await shop.confirm(number)
    await shop.ended(order_no)
    assert [mark.subject for mark in (await shop.show(order_no)).attention] == [case_no]
    await at.uphold(case_no)
    await shop.when(order_no, lambda view: not view.attention)


async def test_a_terminated_case_goes_on_with_the_next_act(shop: Shop, at: Counter) -> None:
    sku, order_no, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 2})
    await at.agree(case_no)
    await at.run(case_no).terminate("by mistake")
    assert (await at.send_back(case_no)).refused is None
    await at.run(case_no).terminate("again")
    assert (await at.inspect(case_no, {1: 2})).refused is None
    await at.when(case_no, CaseStatus.REFUNDED)
    assert (await shop.level(sku))["available"] == 10
    assert len((await shop.show(order_no)).refunds) == 1
    await books_balance(shop, order_no)


async def test_the_cancel_button_of_the_temporal_ui_tears_no_case_apart(shop: Shop, at: Counter) -> None:
    _, _, number = await a_sub_order(shop)
    case_no = await at.opened(number, {1: 1}, REFUND)
    await at.run(case_no).cancel()
    assert (await at.agree(case_no)).refused is None
    assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 1_000


@pytest.mark.parametrize("overrules", [True, False])
async def test_the_clock_decides_what_nobody_does(shop: Shop, at: Counter, overrules: bool) -> None:
    """Every window is short: agreed, not sent back; agreed, sent back, accepted; refused, and the configured side."""
    short = {f"after_sale_{name}_window_s": 3 for name in ("answer", "return", "inspection", "overrule")}
    sku, _, number = await a_sub_order(shop, pieces=3, after_sale_undecided_overrules=overrules, **short)
    refused = await at.opened(number, {1: 1}, REFUND)
    assert (await at.refuse(refused)).refused is None
    sent = await at.sent_back(number, {1: 1})
    lazy = await at.opened(number, {1: 1})
    await at.when(lazy, CaseStatus.EXPIRED)
    await at.when(sent, CaseStatus.REFUNDED)
    await at.when(refused, CaseStatus.REFUNDED if overrules else CaseStatus.REFUSED)
    assert (await shop.level(sku))["available"] == 7, "nobody saw what came back"
