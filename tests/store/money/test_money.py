"""Money: the database itself keeps the journal whole, and each capture and refund counts once."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.orders import CloseOrder
from activities.payment import StrayCapture
from domain.order.payment import Capture, OpenPayment, RefundAnswer, RefundState
from domain.order.precedence import CaptureOutcome
from domain.order.status import CloseReason
from store.money.journal import ORDERS, PROVIDER, post
from store.money.payments import PostgresPayments, decide_refund
from store.rows.sub_orders import lock_order
from tests.support.books import NOW, AnswerLost, Ledgers, forgetful

POSTING = "INSERT INTO journal_postings (key, kind, reference) VALUES ('k', 'TEST', 'r')"
LEG = "INSERT INTO journal_legs (key, leg, account, currency, amount_fen) VALUES ('k', {}, 'a', '{}', {})"
NONE_LEFT = {"SELECT count(*) FROM journal_postings": 0, "SELECT count(*) FROM journal_legs": 0}


def stray(capture: Capture) -> StrayCapture:
    return StrayCapture(capture=capture, why=CaptureOutcome.TOO_LATE)


async def closed(ledgers: Ledgers) -> str:
    """The number of a refund that is to be made: of a paid order that was closed."""
    order_no = await ledgers.paid()
    closing = CloseOrder(order_no=order_no, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW)
    (owed,) = (await ledgers.book.close_order(closing)).owed
    assert owed.refund_no is not None
    return owed.refund_no


@pytest.mark.parametrize(
    "legs",
    [
        [(1, "CNY", 100)],
        [(1, "CNY", 100), (2, "CNY", -99)],
        [(1, "CNY", 100), (2, "USD", -100)],
        [(1, "CNY", 100), (2, "CNY", -100), (3, "CNY", 1)],
    ],
)
async def test_legs_that_do_not_sum_to_zero_in_each_currency_fail_at_the_commit(
    engine: AsyncEngine, ledgers: Ledgers, legs: list[tuple[int, str, int]]
) -> None:
    """By raw SQL, past all of our code; and nothing of the posting stays."""
    async with engine.connect() as db:
        await db.execute(text(POSTING))
        for leg in legs:
            await db.execute(text(LEG.format(*leg)))
        with pytest.raises(IntegrityError, match="do not sum to zero"):
            await db.commit()
    assert {query: await ledgers.one(query) for query in NONE_LEFT} == NONE_LEFT


async def test_legs_that_sum_to_zero_are_taken_in_any_number(ledgers: Ledgers) -> None:
    """Checked at the commit, not leg by leg."""
    async with ledgers.engine.begin() as db:
        await db.execute(text(POSTING))
        for leg in ((1, "CNY", 100), (2, "CNY", -60), (3, "CNY", -40), (4, "USD", 5), (5, "USD", -5)):
            await db.execute(text(LEG.format(*leg)))
    assert await ledgers.one("SELECT count(*) FROM journal_legs") == 5


async def test_a_leg_added_to_an_old_posting_fails_at_the_commit(ledgers: Ledgers) -> None:
    """What was whole stays whole."""
    await ledgers.paid()
    key = await ledgers.one("SELECT key FROM journal_postings")
    with pytest.raises(IntegrityError, match="do not sum to zero"):
        await ledgers.sql("INSERT INTO journal_legs VALUES (:key, 3, 'thief', 'CNY', 1)", key=key)


async def test_one_key_posts_once(engine: AsyncEngine) -> None:
    """Posting twice is impossible, not just avoided."""

    async def once() -> None:
        async with engine.begin() as db:
            await post(db, "k", "TEST", "r", {PROVIDER: 1, ORDERS: -1}, "CNY")

    outcomes = await asyncio.gather(*(once() for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(IntegrityError) == 4


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("journal_postings", "kind"),
        ("journal_legs", "account"),
        ("order_events", "detail"),
        ("risk_verdicts", "verdict"),
        ("risk_decisions", "note"),
        ("risk_settings", "author"),
    ],
)
async def test_what_is_only_ever_added_to_is_neither_changed_nor_deleted(
    ledgers: Ledgers, table: str, column: str
) -> None:
    """The database says no, whoever asks."""
    order_no = await ledgers.paid()
    verdict = "INSERT INTO risk_verdicts (order_no, verdict, score, reasons) VALUES (:no, 'PASS', 0, '[]')"
    decision = "INSERT INTO risk_decisions (order_no, decision, author, note) VALUES (:no, 'APPROVE', 'x', '')"
    await ledgers.sql(verdict, no=int(order_no))
    await ledgers.sql(decision, no=int(order_no))
    await ledgers.sql("INSERT INTO risk_settings (settings, author) VALUES ('{}', 'x')")
    for change in (f"UPDATE {table} SET {column} = 'changed'", f"DELETE FROM {table}"):
        with pytest.raises(IntegrityError, match="only ever added to"):
            await ledgers.sql(change)


async def test_each_capture_has_one_fate_whoever_takes_it_first(ledgers: Ledgers) -> None:
    """The order and the stray path want it, in either order and at one instant: accepted or sent back, never both."""
    fates: set[str] = set()
    for n in range(20):
        order_no = await ledgers.placed()
        capture = ledgers.capture(order_no)

        async def take(capture: Capture = capture) -> str | None:
            return (await ledgers.payments.take_stray(stray(capture))).refund_no

        if n == 0:
            outcome, refund_no = await ledgers.accept(order_no, capture), await take()
        elif n == 1:
            refund_no, outcome = await take(), await ledgers.accept(order_no, capture)
        else:
            outcome, refund_no = await asyncio.gather(ledgers.accept(order_no, capture), take())
        fate = await ledgers.one("SELECT fate FROM captures WHERE capture_id = :id", id=capture.capture_id)
        fates.add(fate)
        accepted = fate == "ACCEPTED"
        assert outcome is (CaptureOutcome.ACCEPTED if accepted else CaptureOutcome.ALREADY_STRAY)
        assert refund_no == (None if accepted else f"S{capture.capture_id}")
    assert fates == {"ACCEPTED", "STRAY"}
    assert await ledgers.one("SELECT count(*) FROM journal_postings") == 20


async def test_money_that_nobody_wants_is_posted_once_and_owed_back_whole(ledgers: Ledgers) -> None:
    """Edge case 12: also for an order that does not exist. Ten at once."""
    capture = ledgers.capture("no such order", 777)
    taken = await asyncio.gather(*(ledgers.payments.take_stray(stray(capture)) for _ in range(10)))
    assert {one.refund_no for one in taken} == {f"S{capture.capture_id}"}
    assert await ledgers.balances() == {"provider": 777, "stray": -777}
    refund = await ledgers.payments.refund_to_make(f"S{capture.capture_id}")
    assert (refund.amount_fen, refund.payment_id, refund.capture_id) == (777, "no such order", capture.capture_id)
    await ledgers.payments.refund_answered(RefundAnswer(refund_no=refund.refund_no, state=RefundState.DONE))
    assert await ledgers.balances() == {}


async def test_a_refund_that_is_answered_twice_is_posted_once(ledgers: Ledgers) -> None:
    """Edge case 11: repeated after a time-out, ten at once; one notice."""
    refund_no = await closed(ledgers)
    assert await ledgers.balances() == {"provider": 1_000, "refunds": -1_000}
    done = RefundAnswer(refund_no=refund_no, state=RefundState.DONE)
    await asyncio.gather(*(ledgers.payments.refund_answered(done) for _ in range(10)))
    assert await ledgers.balances() == {}
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE message_id LIKE 'refunded/%'") == 1
    assert await ledgers.one("SELECT count(*) FROM order_events WHERE action = 'REFUND'") == 1


async def test_a_refused_refund_is_still_owed_and_may_be_done_later(ledgers: Ledgers) -> None:
    """And what is done is never undone by a late refusal."""
    refund_no = await closed(ledgers)
    states = []
    for state in (RefundState.REFUSED, RefundState.DONE, RefundState.REFUSED):
        await ledgers.payments.refund_answered(RefundAnswer(refund_no=refund_no, state=state, detail=state))
        states.append((await ledgers.one("SELECT state FROM refunds"), await ledgers.balances()))
    owed = {"provider": 1_000, "refunds": -1_000}
    assert states == [("REFUSED", owed), ("DONE", {}), ("DONE", {})]


async def test_refunds_are_numbered_and_never_come_to_more_than_was_paid(ledgers: Ledgers) -> None:
    """Ten want 300 of 1000 fen at once: three get a number, in a row, and nobody else any money."""
    order_no = await ledgers.paid()

    async def want() -> str | None:
        async with ledgers.engine.begin() as db:
            await lock_order(db, int(order_no))
            return await decide_refund(db, int(order_no), 300, "test", NOW)

    wanted = await asyncio.gather(*(want() for _ in range(10)), return_exceptions=True)
    numbers = sorted(one for one in wanted if isinstance(one, str))
    assert numbers == [f"{order_no}R0{n}" for n in (1, 2, 3)]
    assert [type(one) for one in wanted].count(ValueError) == 7
    assert await ledgers.one("SELECT sum(amount_fen)::bigint FROM refunds") == 900


@pytest.mark.parametrize("paid", [True, False])
async def test_nothing_is_refunded_of_nothing(ledgers: Ledgers, paid: bool) -> None:
    """Neither no fen of a paid order nor some of an unpaid one."""
    order_no = await (ledgers.paid() if paid else ledgers.placed())
    async with ledgers.engine.begin() as db:
        assert await decide_refund(db, int(order_no), 0 if paid else 100, "test", NOW) is None


async def test_where_the_buyer_pays_is_noted(ledgers: Ledgers) -> None:
    """The order shows it."""
    order_no = await ledgers.placed()
    await ledgers.payments.payment_opened(OpenPayment(payment_id=order_no, cashier_url="/pay/here"))
    view = await ledgers.views.order(order_no)
    assert view is not None
    assert view.payment_link == "/pay/here"


async def test_a_commit_whose_answer_is_lost_has_its_effect_once(ledgers: Ledgers) -> None:
    """Taken as stray, and answered as refunded, each with a fault and then again."""
    losing = PostgresPayments(forgetful(ledgers.engine))
    capture = ledgers.capture("no such order")
    done = RefundAnswer(refund_no=f"S{capture.capture_id}", state=RefundState.DONE)
    with pytest.raises(AnswerLost):
        await losing.take_stray(stray(capture))
    assert (await ledgers.payments.take_stray(stray(capture))).refund_no == done.refund_no
    with pytest.raises(AnswerLost):
        await losing.refund_answered(done)
    await ledgers.payments.refund_answered(done)
    assert await ledgers.balances() == {}
    assert await ledgers.one("SELECT count(*) FROM journal_postings") == 2
