"""Refunds by pieces, before shipping and after: in any sequence, by anybody at once, never more than there is."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from activities.stock import GoodsOf, ReshelvePieces, TakeGoods
from activities.sub_orders import SubOrderOf
from domain.order.pieces import Pieces
from domain.order.reservation import StockLine
from domain.order.status import Status
from store.stock.physical import PostgresPhysical
from store.tables import metadata
from tests.support.books import Ledgers, line
from tests.support.refunds import Refunds, gift, shared

CART = (shared(1, "m1", 5, 550, 275, 100), line(2, "m1", 2, 333), line(3, "m2", 3, 1_000, off_fen=2_000))
PIECES = {1: 5, 2: 2, 3: 3}


@pytest.fixture
def refunds(ledgers: Ledgers) -> Refunds:
    return Refunds(ledgers)


async def emptied(ledgers: Ledgers) -> None:
    async with ledgers.engine.begin() as db:
        await db.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))


async def test_the_worked_example(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge case 25: 5 × 550 less 275, shipping 50. Two cancelled bring 990; the rest 1485 and the shipping."""
    _, (sub,) = await ledgers.split(shared(1, "m1", 5, 550, 275), shipping_fen=50)
    quoted = await refunds.quote(sub, {1: 2})
    assert (quoted.amount_fen, quoted.shipping_fen) == (990, 0)
    two = await refunds.cancel(sub, {1: 2})
    assert (two.amount_fen, two.left, two.closed) == (990, [Pieces(line_no=1, quantity=3)], [])
    assert await ledgers.balances() == {"provider": 2_525, "orders": -1_485, "shipping": -50, "refunds": -990}
    rest = await refunds.cancel(sub, {1: 3})
    assert (rest.amount_fen, rest.left, rest.closed) == (1_535, [], [sub])
    assert await ledgers.balances() == {"provider": 2_525, "refunds": -2_525}
    assert await ledgers.sub_status(sub) is Status.CLOSED
    await refunds.add_up()


acts = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 4), st.sampled_from(["cancel", "decide", "ship"])), max_size=14
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=acts, at_once=st.integers(1, 4))
async def test_no_sequence_of_refunds_takes_more_than_there_is(
    ledgers: Ledgers, refunds: Refunds, acts: list[tuple[int, int, str]], at_once: int
) -> None:
    """Edge cases 26 and 27: several at once too; and what is left then brings all that was paid, to the fen."""
    await emptied(ledgers)
    order_no, subs = await ledgers.split(*CART, shipping_fen=701)
    for start in range(0, len(acts), at_once):
        await asyncio.gather(*(_one(ledgers, refunds, subs, *act) for act in acts[start : start + at_once]))
        await ledgers.status(order_no)
        await refunds.add_up()
    kept = await ledgers.sql("SELECT sub_order_no, status, shipping_fen FROM sub_orders")
    kept_shipping = sum(fen for _, status, fen in kept if status == "SHIPPED")
    for sub in subs:
        rows = await ledgers.sql(
            "SELECT line_no, last_unit - first_unit + 1 - refunded FROM sub_order_lines JOIN sub_orders"
            " USING (order_no, idx) WHERE sub_order_no = :sub AND last_unit - first_unit + 1 > refunded",
            sub=sub,
        )
        if rows:
            assert (await refunds.decide(sub, dict(tuple(row) for row in rows))).refused is None
    assert await refunds.refunded() == sum(one.pay_fen for one in CART) + 701 - kept_shipping
    await refunds.add_up()


async def _one(ledgers: Ledgers, refunds: Refunds, subs: list[str], line_no: int, pieces: int, act: str) -> None:
    sub = subs[1] if line_no == 3 else subs[0]
    if act == "ship":
        await ledgers.ship(sub)
    elif act == "cancel":
        await refunds.cancel(sub, {line_no: pieces})
    else:
        await refunds.decide(sub, {line_no: pieces})


async def test_ten_single_refunds_of_a_line_pay_back_what_was_paid(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge case 27: 10 pieces for 999, at once, and an eleventh that is refused."""
    _, (sub,) = await ledgers.split(line(1, quantity=10, fen=100, off_fen=1))
    answers = await asyncio.gather(*(refunds.cancel(sub, {1: 1}) for _ in range(11)))
    assert sorted(answer.amount_fen for answer in answers) == [0, 99, *([100] * 9)]
    assert sum(answer.refused is not None for answer in answers) == 1
    assert await refunds.refunded() == 999
    await refunds.add_up()


async def test_the_same_key_is_one_refund(ledgers: Ledgers, refunds: Refunds) -> None:
    """Ten times at once."""
    _, (sub,) = await ledgers.split(line(1, quantity=3))
    answers = await asyncio.gather(*(refunds.cancel(sub, {1: 1}, key="k") for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert await refunds.refunded() == 1_000


async def test_the_database_itself_refuses_more_than_there_is(ledgers: Ledgers) -> None:
    """By raw SQL, past all of our code."""
    await ledgers.split(line(1, quantity=3))
    with pytest.raises(IntegrityError, match="refunded"):
        await ledgers.sql("UPDATE sub_order_lines SET refunded = 4")


async def test_a_split_stores_shares_and_a_refund_pays_back_only_its_own(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge cases 24 and 28: nothing is priced again; a discount of 80 is 30 and 50, and goes back so."""
    _, subs = await ledgers.split(shared(1, "m1", 1, 300, 30), shared(2, "m2", 1, 500, 50))
    assert [(await refunds.cancel(sub, {n: 1})).amount_fen for n, sub in enumerate(subs, start=1)] == [270, 450]
    await refunds.add_up()


async def test_a_cancelled_line_leaves_the_others_at_their_price(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge case 25: its discount is not pushed onto the survivors."""
    _, (sub,) = await ledgers.split(shared(1, "m1", 1, 1_000, 400), shared(2, "m1", 1, 1_000, 400))
    await refunds.cancel(sub, {1: 1})
    assert (await refunds.quote(sub, {2: 1})).goods_fen == 600


async def test_the_other_pieces_ship_as_before(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge case 31: one refunded line blocks nothing, and the order completes."""
    order_no, (sub, other) = await ledgers.split(*CART)
    await refunds.cancel(sub, {1: 5})
    await refunds.cancel(other, {3: 3})
    facts = await ledgers.sub_book.sub_order_facts(SubOrderOf(sub_order_no=sub))
    assert (facts.left, facts.revision) == ([Pieces(line_no=2, quantity=2)], 1)
    assert len(facts.owed) == 1
    await refunds.received(sub)
    assert await ledgers.status(order_no) is Status.COMPLETED
    await refunds.add_up()


async def test_a_partial_refund_then_a_cancel_brings_each_piece_back_once(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge cases 17, 18 and 21: of 5 pieces 2, then the other 3; never the whole line again."""
    order_no, (sub,) = await ledgers.split(line(1, quantity=5))
    two = await refunds.cancel(sub, {1: 2})
    rest = await ledgers.close(order_no, sub)
    assert two.owed.restock == [StockLine(line_no=1, sku="SKU1", quantity=2)]
    assert rest.owed.restock == [StockLine(line_no=1, sku="SKU1", quantity=3)]
    assert two.owed.key != rest.owed.key
    assert await refunds.refunded() == 5_000
    await refunds.add_up()


async def test_a_refund_after_shipping_brings_back_what_came_and_no_shipping(
    ledgers: Ledgers, refunds: Refunds
) -> None:
    """Edge cases 18 and 21: of two refunded pieces the one that can be sold again; nothing is released."""
    _, (sub,) = await ledgers.split(line(1, quantity=2), shipping_fen=50)
    await refunds.received(sub)
    decided = await refunds.decide(sub, {1: 2}, sellable=[Pieces(line_no=1, quantity=1)])
    assert (decided.amount_fen, decided.closed) == (2_000, [])
    assert decided.owed.restock == [StockLine(line_no=1, sku="SKU1", quantity=1)]
    assert (decided.owed.reshelve, decided.owed.reshelve_pieces) == ([], [])
    assert await ledgers.sub_status(sub) is Status.COMPLETED
    await refunds.add_up()


async def test_the_story_tells_of_a_refund_after_shipping_and_no_merchant_is_to_ship_less(
    ledgers: Ledgers, refunds: Refunds
) -> None:
    _, (sub,) = await ledgers.split(line(1, quantity=2))
    await refunds.received(sub)
    await refunds.decide(sub, {1: 1})
    of_sub = "SELECT actor, detail FROM order_events WHERE subject = :sub AND action = 'DECIDE_REFUND'"
    told = await ledgers.sql(of_sub, sub=sub)
    assert [tuple(row) for row in told] == [("PLATFORM", "BROKEN: 1000 fen back")]
    assert await ledgers.sql("SELECT 1 FROM outbox WHERE message_id LIKE 'pieces-%'") == []


@pytest.mark.parametrize(("wanted", "why"), [({1: 6}, "of which 5 are left"), ({9: 1}, "line 9 is not in")])
async def test_pieces_that_are_not_there_are_refused_whole(
    ledgers: Ledgers, refunds: Refunds, wanted: dict[int, int], why: str
) -> None:
    _, (sub, _other) = await ledgers.split(*CART)
    answer = await refunds.cancel(sub, {**wanted, 2: 1})
    assert answer.refused is not None
    assert why in answer.refused.reason
    assert await refunds.refunded() == 0
    assert (await refunds.quote(sub, wanted)).refused is not None
    assert (await refunds.decide(sub, wanted)).refused is not None


async def test_ship_against_a_cancel_of_pieces_has_one_of_two_endings(ledgers: Ledgers, refunds: Refunds) -> None:
    """Edge case 32: shipped whole, or shipped without the piece that was paid back."""
    seen = set()
    for n in range(30):
        _, (sub,) = await ledgers.split(line(1, quantity=2))
        both = [ledgers.ship(sub), refunds.cancel(sub, {1: 1})]
        shipped, cancelled = await asyncio.gather(*(both if n % 2 else reversed(both)))
        if n % 2 == 0:
            shipped, cancelled = cancelled, shipped
        assert shipped.refused is None
        facts = await ledgers.sub_book.sub_order_facts(SubOrderOf(sub_order_no=sub))
        assert facts.left[0].quantity == (1 if cancelled.refused is None else 2)
        seen.add(cancelled.refused is None)
    assert seen == {True, False}
    await refunds.add_up()


async def test_the_merchant_is_told_what_is_left(ledgers: Ledgers, refunds: Refunds) -> None:
    """Whether it has the parcel by now or not; the higher revision holds."""
    _, (sub, _other) = await ledgers.split(*CART)
    await ledgers.sub_book.handed_over(SubOrderOf(sub_order_no=sub))
    await refunds.cancel(sub, {1: 1})
    await refunds.cancel(sub, {1: 4})
    bodies = [
        row.body for row in await ledgers.sql("SELECT body FROM outbox WHERE message_id LIKE 'pieces-%' ORDER BY 1")
    ]
    assert sorted((body["revision"], body["handed_over"], body["left"]) for body in bodies) == [
        (1, True, [{"line_no": 1, "quantity": 4}, {"line_no": 2, "quantity": 2}]),
        (2, True, [{"line_no": 2, "quantity": 2}]),
    ]


# --- gifts and coupons


async def test_a_gift_that_has_not_shipped_goes_with_what_it_was_given_for(ledgers: Ledgers, refunds: Refunds) -> None:
    """Only with its last piece; and the sub-order that holds nothing else closes."""
    order_no, (sub, gifts) = await ledgers.split(line(1, "m1", 2), line(2, "m1"), gift(3, "m2", [1]), shipping_fen=30)
    first = await refunds.cancel(sub, {1: 1})
    assert (first.closed, first.owed.restock) == ([], [StockLine(line_no=1, sku="SKU1", quantity=1)])
    second = await refunds.cancel(sub, {1: 1})
    assert second.closed == [gifts]
    assert StockLine(line_no=3, sku="SKU3", quantity=1) in second.owed.restock
    assert await ledgers.sub_status(gifts) is Status.CLOSED
    assert await ledgers.status(order_no) is Status.AWAITING_SHIPMENT
    await refunds.add_up()


async def test_a_gift_that_still_lies_there_goes_with_goods_that_come_back_from_the_buyer(
    ledgers: Ledgers, refunds: Refunds
) -> None:
    """Its sub-order is closed in the books, as the story tells its run."""
    _, (sub, gifts) = await ledgers.split(line(1, "m1"), gift(2, "m2", [1]))
    await ledgers.ship(sub)
    decided = await refunds.decide(sub, {1: 1})
    assert decided.closed == [gifts]
    assert await ledgers.sub_status(gifts) is Status.CLOSED


async def test_a_gift_that_can_not_come_back_is_taken_off_and_said_so_first(ledgers: Ledgers, refunds: Refunds) -> None:
    """It has shipped by itself. Its value goes off this refund, and what was too much for it off the next."""
    _, (sub, gifts) = await ledgers.split(
        line(1, "m1", fen=200), line(2, "m1", fen=900), gift(3, "m2", [1], returnable=False, fen=300)
    )
    await ledgers.ship(gifts)
    quoted = await refunds.quote(sub, {1: 1})
    assert [kept.value_fen for kept in quoted.gifts_kept] == [300]
    assert (quoted.goods_fen, quoted.withheld_fen, quoted.amount_fen) == (200, 200, 0)
    assert (await refunds.cancel(sub, {1: 1})).amount_fen == 0
    await refunds.add_up()
    assert (await refunds.cancel(sub, {2: 1})).amount_fen == 800
    assert await ledgers.balances() == {"provider": 1_100, "orders": -300, "refunds": -800}
    await refunds.add_up()


async def test_a_gift_that_can_come_back_is_asked_for_and_taken_off_when_it_does_not(
    ledgers: Ledgers, refunds: Refunds
) -> None:
    for came, amount in (([2], 1_000), ([], 700)):
        _, (sub,) = await ledgers.split(line(1, "m1"), gift(2, "m1", [1]))
        await refunds.received(sub)
        quoted = await refunds.quote(sub, {1: 1})
        assert ([one.line_no for one in quoted.gifts_to_return], quoted.amount_fen) == ([2], 1_000)
        assert (await refunds.decide(sub, {1: 1}, gifts_back=came)).amount_fen == amount
        await refunds.add_up()


async def test_the_coupons_go_back_with_the_last_piece_that_was_bought(ledgers: Ledgers, refunds: Refunds) -> None:
    """Of an order that used some, before shipping and after."""
    _, (sub, other) = await ledgers.split(*CART)
    await ledgers.sql("UPDATE orders SET coupons = '[\"c1\"]'")
    await refunds.received(other)
    assert not (await refunds.cancel(sub, {1: 5, 2: 2})).owed.coupons
    assert not (await refunds.decide(other, {3: 2})).owed.coupons
    assert (await refunds.quote(other, {3: 1})).coupons
    assert (await refunds.decide(other, {3: 1})).owed.coupons


# --- what lies in the warehouse


async def test_pieces_that_are_put_back_are_taken_off_a_reservation_or_a_later_one(ledgers: Ledgers) -> None:
    """A back-order's goods may come after the cancel: the order of the two decides nothing. Each key counts once."""
    physical = PostgresPhysical(ledgers.engine)
    await ledgers.sql("INSERT INTO physical_stock VALUES ('SKU1', 'w1', 10, 10, 0, 0)")
    _, (one,) = await ledgers.split(line(1, quantity=5))
    _, (two,) = await ledgers.split(line(1, quantity=5))
    wanted = [StockLine(line_no=1, sku="SKU1", quantity=5)]
    for sub, first in ((one, "take"), (two, "put back")):
        back = ReshelvePieces(sub_order_no=sub, reason_key="k", lines=[StockLine(line_no=1, sku="SKU1", quantity=2)])
        take = TakeGoods(sub_order_no=sub, warehouse="w1", lines=wanted)
        if first == "take":
            assert (await physical.take_goods(take)).taken
        await asyncio.gather(*(physical.reshelve_pieces(back) for _ in range(5)))
        assert (await physical.take_goods(take)).taken
    count = "SELECT total, available, reserved, shipped FROM physical_stock"
    assert tuple((await ledgers.sql(count))[0]) == (10, 4, 6, 0)
    assert (await physical.ship_goods(GoodsOf(sub_order_no=one))).pieces == 3
    assert (await physical.reshelve(GoodsOf(sub_order_no=two))).pieces == 3
    assert tuple((await ledgers.sql(count))[0]) == (10, 7, 0, 3)
