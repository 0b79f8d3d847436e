"""Checkout's keys: one number for each, for ever."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.lines import Placement, Refusal, RefusalCode
from domain.order.order_number import OutOfNumbers, candidate, gene_of, parse
from domain.order.payment import OpenPayment
from store.database.keys import KeyReused
from store.orders.checkout_keys import PostgresCheckoutKeys
from tests.support.books import BUYER, NOW, SECRET, AnswerLost, Ledgers, forgetful, line

TODAY = date(2026, 11, 11)
CHANNEL = 3
BODY, OTHER_BODY = "a" * 64, "b" * 64


@pytest.fixture
def keys(engine: AsyncEngine) -> PostgresCheckoutKeys:
    return PostgresCheckoutKeys(engine, SECRET, CHANNEL)


async def mint(
    keys: PostgresCheckoutKeys, key: str = "k1", body: str = BODY, *, caller: str = "web", today: date = TODAY
) -> str:
    return (await keys.mint(caller, key, body, BUYER, today)).order_no


def nth(attempt: int, key: str = "k1") -> str:
    """The number that an attempt for this key leads to."""
    return candidate(SECRET, "web", key, BUYER, TODAY, CHANNEL, attempt)


async def taken(ledgers: Ledgers, number: str) -> None:
    """The number is another order's."""
    row = "INSERT INTO checkout_keys (caller, idempotency_key, body_sha256, order_no) VALUES ('other', :key, '', :no)"
    await ledgers.sql(row, key=number, no=int(number))


async def test_a_number_says_the_day_the_channel_and_the_buyers_gene(keys: PostgresCheckoutKeys) -> None:
    """And is an order's."""
    number = parse(await mint(keys))
    assert (number.day, number.channel, number.gene, number.sub) == (TODAY, CHANNEL, gene_of(BUYER), None)


async def test_one_key_and_body_have_one_number(keys: PostgresCheckoutKeys, ledgers: Ledgers) -> None:
    """Twenty at once, and again later."""
    numbers = await asyncio.gather(*(mint(keys) for _ in range(20)))
    assert {*numbers, await mint(keys)} == {numbers[0]}
    assert await ledgers.one("SELECT count(*) FROM checkout_keys") == 1


async def test_another_body_under_the_same_key_is_refused(keys: PostgresCheckoutKeys) -> None:
    """And changes nothing: the first body still has its number."""
    number = await mint(keys)
    with pytest.raises(KeyReused):
        await mint(keys, body=OTHER_BODY)
    assert await mint(keys) == number


async def test_of_two_bodies_at_one_instant_one_has_the_key(keys: PostgresCheckoutKeys) -> None:
    """The other is refused."""
    for n in range(10):
        both = (mint(keys, f"k{n}", body) for body in (BODY, OTHER_BODY))
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["KeyReused", "str"]


async def test_other_keys_and_other_callers_have_other_numbers(keys: PostgresCheckoutKeys) -> None:
    """A key is its caller's own."""
    numbers = await asyncio.gather(mint(keys), mint(keys, "k2"), mint(keys, caller="app"))
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("clashes", [1, 3])
async def test_a_clash_of_numbers_moves_on_to_the_next(
    keys: PostgresCheckoutKeys, ledgers: Ledgers, clashes: int
) -> None:
    """The database's unique key is the promise; a repeat finds the number that it led to."""
    for attempt in range(clashes):
        await taken(ledgers, nth(attempt))
    assert await mint(keys) == nth(clashes)
    assert await mint(keys) == nth(clashes)


async def test_a_key_keeps_its_number_after_the_one_that_it_clashed_with_is_free(
    keys: PostgresCheckoutKeys, ledgers: Ledgers
) -> None:
    """The row decides, not the arithmetic."""
    await taken(ledgers, nth(0))
    number = await mint(keys)
    await ledgers.sql("DELETE FROM checkout_keys WHERE caller = 'other'")
    assert await mint(keys) == number == nth(1)


async def test_a_day_that_has_no_numbers_left_says_so(
    keys: PostgresCheckoutKeys, monkeypatch: pytest.MonkeyPatch, ledgers: Ledgers
) -> None:
    """An error that names the way out, not an endless search."""
    monkeypatch.setattr("domain.order.order_number.ATTEMPTS", 3)
    for attempt in range(3):
        await taken(ledgers, nth(attempt))
    with pytest.raises(OutOfNumbers, match="another channel"):
        await mint(keys)
    assert await ledgers.one("SELECT count(*) FROM checkout_keys WHERE caller = 'web'") == 0


async def test_a_crash_between_the_minting_and_the_start_keeps_the_number(
    keys: PostgresCheckoutKeys, ledgers: Ledgers
) -> None:
    """Also when the caller comes back on another day, or with another secret in the settings."""
    with pytest.raises(AnswerLost):
        await mint(PostgresCheckoutKeys(forgetful(ledgers.engine), SECRET, CHANNEL))
    number = str(await ledgers.one("SELECT order_no FROM checkout_keys"))
    assert await mint(keys) == number
    assert await mint(keys, today=TODAY + timedelta(days=1)) == number
    assert await mint(PostgresCheckoutKeys(ledgers.engine, b"another secret of ours", 9)) == number
    assert await keys.answered(number) is None


async def test_there_is_no_answer_until_the_buyer_can_pay(keys: PostgresCheckoutKeys, ledgers: Ledgers) -> None:
    """Written down is not enough: the provider's page belongs to the answer."""
    order_no = await ledgers.placed()
    assert await keys.answered(order_no) is None
    await ledgers.payments.payment_opened(OpenPayment(payment_id=order_no, cashier_url="/pay/here"))
    answer = await keys.answered(order_no)
    assert answer is not None
    assert (answer.order_no, answer.amount_due_fen, answer.payment_link) == (order_no, 1_000, "/pay/here")
    assert answer.pay_by == NOW + timedelta(minutes=30)


async def test_an_order_that_costs_nothing_and_a_refusal_are_answers_by_themselves(
    keys: PostgresCheckoutKeys, ledgers: Ledgers
) -> None:
    """Neither has a page to wait for."""
    free = await keys.answered(await ledgers.placed(line(fen=0)))
    assert free is not None
    assert (free.refusal, free.amount_due_fen, free.payment_link) == (None, 0, None)
    refused = Placement(order_no=nth(0), refusal=Refusal(code=RefusalCode.OUT_OF_STOCK, detail="2 wanted, 1 there"))
    outcome = "INSERT INTO placements (order_no, outcome) VALUES (:no, CAST(:outcome AS jsonb))"
    await ledgers.sql(outcome, no=int(nth(0)), outcome=refused.model_dump_json())
    assert await keys.answered(nth(0)) == refused
