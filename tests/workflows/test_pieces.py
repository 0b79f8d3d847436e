"""Pieces that are cancelled before their parcel ships: by anybody, at any moment, and the others go on."""

import asyncio
from collections import Counter
from typing import Any

from temporalio.client import Client

from activities.sub_orders import SubOrderOf
from domain.order.status import Action, Actor, CloseReason, Status
from runtime.embedded import Postgres
from store.money.reconciliation import mismatches
from tests.support.endings import closed_and_given_back
from tests.support.servers import a_shop
from tests.support.shop import Shop, until


async def two_lines(shop: Shop, **more: Any) -> tuple[list[str], str, str]:
    """Three pieces of two SKUs, paid, in one parcel: SKUs, order, sub-order."""
    skus = [await shop.sku(**more), await shop.sku(**more)]
    order_no = await shop.place(skus, quantity=3)
    await shop.pay(order_no)
    (sub,) = await shop.split(order_no)
    return skus, order_no, sub


async def refunds_done(shop: Shop, order_no: str, fen: int) -> None:
    async def paid_back() -> tuple[int, set[str]]:
        view = await shop.show(order_no)
        return sum(refund.amount_fen for refund in view.refunds), {refund.state for refund in view.refunds}

    await until(paid_back, lambda seen: seen == (fen, {"DONE"}))


async def test_one_piece_is_cancelled_and_the_others_ship(shop: Shop) -> None:
    """Edge cases 17, 21, 31: one piece back on sale, its money back, and the order completes."""
    skus, order_no, sub = await two_lines(shop)
    answer = await shop.cancel_pieces(sub, {1: 1})
    assert (answer.status, answer.refused) == (Status.AWAITING_SHIPMENT, None)
    await refunds_done(shop, order_no, 1_000)
    await until(lambda: shop.level(skus[0]), lambda level: level["available"] == 8)
    assert (await shop.level(skus[1]))["available"] == 7
    assert (await shop.ship(sub)).refused is None
    assert (await shop.cancel_pieces(sub, {1: 1})).refused is not None
    await shop.confirm(sub)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    view = await shop.show(order_no)
    assert [(line.shipped, line.closed) for line in view.lines] == [(2, 1), (3, 0)]
    assert await shop.money(order_no) == {"provider": 5_000, "orders": -5_000}
    assert await shop.provider_kept(order_no) == 5_000


async def test_cancelled_pieces_lie_on_their_shelf_again_and_the_others_leave_it(shop: Shop) -> None:
    """Edge cases 17 and 18: of five pieces three are set aside, then two, then none; and two have left."""
    merchant = f"stocked-{await shop.sku()}"
    sku = await shop.sku(merchant=merchant)
    await shop.shelve(merchant, sku, 5)
    order_no = await shop.place([sku], quantity=3)
    await shop.pay(order_no)
    (sub,) = await shop.split(order_no)
    assert await shop.shelf(sku) == (2, 3, 0)
    assert (await shop.cancel_pieces(sub, {1: 1})).refused is None
    await until(lambda: shop.shelf(sku), lambda seen: seen == (3, 2, 0))
    await shop.ship(sub)
    await until(lambda: shop.shelf(sku), lambda seen: seen == (3, 0, 2))
    await shop.confirm(sub)
    await shop.ended(order_no)


async def test_the_last_pieces_close_the_order(shop: Shop) -> None:
    """Edge cases 18 and 31: nothing is pending for ever, nothing goes back twice."""
    skus, order_no, sub = await two_lines(shop)
    assert (await shop.cancel_pieces(sub, {1: 2})).refused is None
    answer = await shop.cancel_pieces(sub, {1: 1, 2: 3})
    assert (answer.status, answer.refused) == (Status.CLOSED, None)
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, *skus)


async def test_pieces_then_the_whole_order(shop: Shop) -> None:
    """Edge case 17: 100 never becomes 101."""
    skus, order_no, sub = await two_lines(shop)
    await shop.cancel_pieces(sub, {2: 2}, Actor.MERCHANT)
    assert (await shop.cancel(order_no)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, *skus)


async def test_a_repeat_under_one_key_cancels_once_and_more_than_is_left_nothing(shop: Shop) -> None:
    _, order_no, sub = await two_lines(shop)
    answers = await asyncio.gather(*(shop.cancel_pieces(sub, {1: 1}, key="k") for _ in range(5)))
    assert all(answer.refused is None for answer in answers)
    refused = (await shop.cancel_pieces(sub, {1: 3})).refused
    assert refused is not None
    assert "of which 2 are left" in refused.reason
    assert Action.CANCEL in refused.allowed
    await refunds_done(shop, order_no, 1_000)
    await shop.cancel(order_no)
    await shop.ended(order_no)


async def pieces_against_the_parcel(shop: Shop, parcel_asks_first: bool) -> int:
    """How many of two cancels came before the parcel; what has shipped and what was paid back are all there is."""
    _, order_no, sub = await two_lines(shop)
    acts = [shop.ship(sub), shop.cancel_pieces(sub, {1: 2}), shop.cancel_pieces(sub, {1: 2})]
    answers = await asyncio.gather(*(acts if parcel_asks_first else reversed(acts)))
    shipped = answers[0 if parcel_asks_first else -1]
    cancelled = sum(answer.refused is None for answer in answers if answer is not shipped)
    assert shipped.refused is None
    await shop.confirm(sub)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    view = await shop.show(order_no)
    assert view.lines[0].shipped == 3 - 2 * cancelled
    assert await shop.provider_kept(order_no) == 6_000 - 2_000 * cancelled
    return cancelled


async def test_pieces_against_the_parcel_at_one_instant(shop: Shop) -> None:
    """Edge case 32: whoever is first. Both are, within so many tries; else there was no race, and nothing is shown."""
    outcomes: Counter[int] = Counter()
    for n in range(40):
        outcomes[await pieces_against_the_parcel(shop, parcel_asks_first=n % 2 == 0)] += 1
        if n >= 5 and len(outcomes) == 2:
            break
    assert set(outcomes) == {0, 1}, outcomes


async def test_pieces_against_the_whole_order_at_one_instant(shop: Shop) -> None:
    """All of it goes back, once, whoever is first."""
    for n in range(6):
        skus, order_no, sub = await two_lines(shop)
        acts = [shop.cancel_pieces(sub, {1: 2}), shop.cancel(order_no), shop.cancel(sub)]
        await asyncio.gather(*(acts if n % 2 else reversed(acts)))
        await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, *skus)


async def test_a_parcel_that_is_handed_over_late_has_what_is_left(shop: Shop) -> None:
    """The merchant's system is down while a piece is cancelled."""
    merchant = f"m-{(await shop.sku())}"
    await shop.bad_days(hand_over_fails_for=[merchant])
    _, order_no, sub = await two_lines(shop, merchant=merchant)
    await shop.when(order_no, lambda view: bool(view.attention))
    assert (await shop.cancel_pieces(sub, {1: 1, 2: 3})).status is Status.EXCEPTION
    await shop.bad_days()
    await shop.sub_run(sub).signal("try_again")

    async def taken() -> list[Any]:
        parcels = (await shop.http.get(f"/merchants/{merchant}/hand-overs")).json()
        return [
            (parcel["revision"], line["line_no"], line["quantity"]) for parcel in parcels for line in parcel["lines"]
        ]

    await until(taken, lambda seen: seen == [(1, 1, 2)])
    await shop.cancel(order_no)
    await shop.ended(order_no)


async def test_a_run_that_starts_over_brings_back_what_the_one_before_owed(shop: Shop) -> None:
    """Terminated right after the pieces were closed: its successor finds the refund."""
    await shop.bad_days(refund_fails=True)
    skus, order_no, sub = await two_lines(shop)
    assert (await shop.cancel_pieces(sub, {1: 1})).refused is None
    await shop.sub_run(sub).terminate("an operator's hand slipped")
    await shop.bad_days()
    await shop.run(order_no).signal("try_again")
    await refunds_done(shop, order_no, 1_000)
    await until(lambda: shop.level(skus[0]), lambda level: level["available"] == 8)
    facts = await shop.sub_book.sub_order_facts(SubOrderOf(sub_order_no=sub))
    assert [pieces.quantity for pieces in facts.left] == [2, 3]
    await shop.cancel(order_no)
    await shop.ended(order_no)


async def test_the_books_of_orders_in_pieces_add_up(postgres: Postgres, client: Client) -> None:
    """Some pieces cancelled, all of them one after the other, pieces and then the order, pieces against the parcel."""
    async with a_shop(postgres, client, "pieces") as shop:
        await asyncio.gather(
            test_one_piece_is_cancelled_and_the_others_ship(shop),
            test_the_last_pieces_close_the_order(shop),
            test_pieces_then_the_whole_order(shop),
            pieces_against_the_parcel(shop, parcel_asks_first=False),
        )
        assert len(await shop.sql("SELECT 1 FROM refunds WHERE state = 'DONE'")) >= 4
        await until(lambda: mismatches(shop.engine), lambda wrong: wrong == [], 5)
        await shop.sql("UPDATE refunds SET amount_fen = amount_fen - 1")
        assert await mismatches(shop.engine) != [], "it does look at them"
