"""Payment, cancel and deadline in every order and at one instant: one outcome each, and no fen stranded.

The precedence that decides them is written in domain/order/precedence.py.
"""

import asyncio
from itertools import permutations

import pytest

from domain.order.precedence import CaptureOutcome
from domain.order.status import Actor, CloseReason, Status
from tests.support.endings import books_balance, no_stray
from tests.support.servers import open_shop
from tests.support.shop import Person, Shop, until, working
from tests.support.stories import FAR


async def outcomes(shop: Shop, order_no: str) -> list[str]:
    rows = await shop.sql(
        "SELECT outcome FROM payment_notifications WHERE capture->>'payment_id' = :no ORDER BY outcome", no=order_no
    )
    return [row.outcome for row in rows]


async def test_paid_within_the_deadline_but_told_after_it_the_buyer_wins(shop: Shop) -> None:
    """Edge cases 1, 3, 5, 14: the provider's answer to the close says it is paid."""
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    await shop.pay(order_no, delay_s=4)
    view = await shop.when(order_no, lambda view: bool(view.sub_orders))
    assert view.status is Status.AWAITING_SHIPMENT
    await until(lambda: outcomes(shop, order_no), lambda told: told == ["DUPLICATE"])
    await books_balance(shop, order_no)
    assert (await shop.level(sku))["deducted"] == 1


async def test_money_that_comes_after_the_order_has_closed_goes_back_once(shop: Shop) -> None:
    """Edge cases 2, 6, 12: the order stays closed, the stock stays given back."""
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    await shop.ended(order_no)
    await shop.bad_days(notify_duplicates=2)
    await shop.pay(order_no, force=True)
    await until(lambda: outcomes(shop, order_no), lambda told: told == ["TOO_LATE"])
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)
    assert (await shop.level(sku))["available"] == 10
    assert (await shop.show(order_no)).status is Status.CLOSED


async def test_an_order_paid_twice_keeps_one_payment_and_sends_the_other_back(shop: Shop) -> None:
    """Edge case 9."""
    order_no = await shop.place([await shop.sku()])
    await shop.pay(order_no, times=2)
    await until(lambda: outcomes(shop, order_no), lambda told: told == ["ACCEPTED", "PAID_TWICE"])
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"amount_fen": 999}, CaptureOutcome.WRONG_AMOUNT),
        ({"amount_fen": 1001}, CaptureOutcome.WRONG_AMOUNT),
        ({"currency": "USD"}, CaptureOutcome.WRONG_CURRENCY),
    ],
)
async def test_a_wrong_payment_goes_back_and_the_order_still_waits_for_the_right_one(
    shop: Shop, how: dict[str, object], why: CaptureOutcome
) -> None:
    order_no = await shop.place([await shop.sku()], **FAR)
    await shop.pay(order_no, **how)
    await until(lambda: outcomes(shop, order_no), lambda told: told == [why])
    await no_stray(shop, order_no)
    assert (await shop.show(order_no)).status is Status.PENDING_PAYMENT
    await shop.pay(order_no, force=True)
    await shop.split(order_no)
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)


async def test_a_wrong_payment_that_was_never_told_goes_back_when_the_deadline_finds_it(shop: Shop) -> None:
    """The close answers "paid", with an amount nobody wants: the order closes, the money goes back."""
    order_no = await shop.place([await shop.sku()], payment_window_s=1)
    await shop.pay(order_no, amount_fen=1, delay_s=600)
    ended = await shop.ended(order_no)
    assert ended.close_reason is CloseReason.UNPAID
    await until(lambda: outcomes(shop, order_no), lambda told: told == ["TOO_LATE"])
    await no_stray(shop, order_no)
    await books_balance(shop, order_no)


async def test_money_for_an_unknown_order_goes_back(shop: Shop) -> None:
    await shop.pay("no-such-order", amount_fen=77, force=True)
    await until(lambda: outcomes(shop, "no-such-order"), lambda told: told == ["UNKNOWN_ORDER"])
    await no_stray(shop, "no-such-order")
    assert await shop.provider_kept("no-such-order") == 0
    assert await shop.money("no-such-order") == {}


async def test_a_failed_payment_attempt_does_not_stop_the_expiry(shop: Shop) -> None:
    """Edge case 7: the cashier page was opened and left."""
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    assert (await shop.http.get(f"/cashier/{order_no}")).status_code == 200
    assert (await shop.ended(order_no)).close_reason is CloseReason.UNPAID
    assert (await shop.level(sku))["available"] == 10


async def test_payment_and_cancel_at_one_instant_have_one_outcome_forty_times(shop: Shop) -> None:
    """Whoever comes first: a cancelled order keeps nothing, and every capture is accepted or sent back."""
    sku = await shop.sku(pieces=100)

    async def one(_: int) -> None:
        order_no = await shop.place([sku], **FAR)
        tried = shop.http.post(f"/cashier/{order_no}/pay", json={})  # refused when the cancel has closed it
        cancelled, paid = await asyncio.gather(shop.cancel(order_no), tried)
        assert cancelled.refused is None and paid.status_code in (200, 409)
        await shop.ended(order_no, 60)
        await no_stray(shop, order_no)
        await books_balance(shop, order_no)

    for batch in range(4):
        await asyncio.gather(*(one(batch * 10 + n) for n in range(10)))
    level = await shop.level(sku)
    assert level["available"] == 100, level


async def test_payment_at_the_very_second_of_the_deadline_has_one_outcome_forty_times(shop: Shop) -> None:
    """Edge case 13. Forced: the bank is slow and takes the money whatever the cashier page says."""
    sku = await shop.sku(pieces=100)

    async def one(n: int) -> Status:
        order_no = await shop.place([sku], payment_window_s=1)
        await asyncio.sleep(0.9 + n * 0.02)
        await shop.pay(order_no, force=True)
        view = await shop.when(order_no, lambda view: view.status is Status.CLOSED or bool(view.sub_orders))
        await no_stray(shop, order_no)
        await books_balance(shop, order_no)
        return view.status

    ends: list[Status] = []
    for _ in range(4):
        ends += await asyncio.gather(*(one(n) for n in range(10)))
    level = await shop.level(sku)
    assert level["deducted"] == ends.count(Status.AWAITING_SHIPMENT)
    assert level["available"] == 100 - level["deducted"]


@pytest.mark.parametrize("order", list(permutations(("pay", "cancel", "deadline"))), ids="-".join)
async def test_payment_cancel_and_deadline_in_any_order_while_no_worker_is_up(
    shop: Shop, order: tuple[str, ...]
) -> None:
    """All three are there when the worker comes back; the precedence decides, and nothing is stranded."""
    async with open_shop(
        shop.client, shop.settings.database_url, shop.engine, shop.settings.sandbox_port, f"down-{'-'.join(order)}"
    ) as down:
        sku = await down.sku()
        async with working(down.settings, down.client):
            order_no = await down.place([sku], payment_window_s=2)
        cancelling: list[asyncio.Task[object]] = []
        for event in order:
            if event == "pay":
                await down.pay(order_no, force=True)
            elif event == "deadline":
                await asyncio.sleep(2)
            else:
                cancelling.append(asyncio.create_task(down.cancel(order_no)))
                await asyncio.sleep(0.3)
        async with working(down.settings, down.client):
            view = await down.when_status(order_no, Status.CLOSED)
            await asyncio.gather(*cancelling, return_exceptions=True)
            await down.ended(order_no)
            await no_stray(down, order_no)
            await books_balance(down, order_no)
        assert view.close_reason is CloseReason.CANCELLED_BY_BUYER, "a cancel that was accepted beats the payment"
        assert (await down.level(sku))["available"] == 10


async def test_a_shipment_and_a_cancel_at_one_instant_have_one_winner(shop: Shop) -> None:
    """Edge case 32: never both refunded and shipped."""
    sku = await shop.sku(pieces=100)

    async def one() -> None:
        order_no = await shop.place([sku])
        await shop.pay(order_no)
        (number,) = await shop.split(order_no)
        shipped, cancelled = await asyncio.gather(shop.ship(number), shop.cancel(order_no, Actor.BUYER))
        assert (shipped.refused is None) != (cancelled.refused is None)
        if shipped.refused is None:
            await shop.confirm(number)
        await shop.ended(order_no)
        await books_balance(shop, order_no)

    for _ in range(3):
        await asyncio.gather(*(one() for _ in range(5)))


async def test_the_last_piece_is_sold_once_however_many_ask(shop: Shop) -> None:
    """Edge case 15."""
    sku = await shop.sku(pieces=1)
    carts = [shop.cart([sku], Person(), expected_fen=1000) for _ in range(10)]
    answers = await asyncio.gather(*(shop.ask(cart, **FAR) for cart in carts))
    taken = [answer.order_no for answer in answers if answer.refusal is None]
    assert len(taken) == 1
    await shop.cancel(taken[0])
