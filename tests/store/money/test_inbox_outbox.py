"""Inbox and outbox: nothing in them is lost, and no two relays work on one row at once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.payment import StrayCapture
from domain.order.precedence import CaptureOutcome
from store.database.log_and_outbox import ALARM, tell
from store.database.outbox import LEASE, LONGEST_PAUSE_S, PostgresOutbox
from store.money.inbox import LEASE as INBOX_LEASE
from store.money.inbox import PostgresInbox
from tests.support.books import AnswerLost, Ledgers, forgetful, order_number

LEASE_ENDS = "UPDATE payment_notifications SET due_at = now() WHERE settled_at IS NULL"


@pytest.fixture
def inbox(engine: AsyncEngine) -> PostgresInbox:
    return PostgresInbox(engine)


@pytest.fixture
def outbox(engine: AsyncEngine) -> PostgresOutbox:
    return PostgresOutbox(engine)


async def fill(inbox: PostgresInbox, ledgers: Ledgers, notifications: int) -> list[str]:
    ids = [f"n{n:02d}" for n in range(notifications)]
    for notification_id in ids:
        assert await inbox.put(notification_id, ledgers.capture("p", capture_id=f"c-{notification_id}"))
    return ids


async def leave(ledgers: Ledgers, messages: int) -> None:
    async with ledgers.engine.begin() as db:
        for n in range(messages):
            await tell(db, ALARM, f"m{n:02d}", {"n": n})


async def test_a_notification_that_comes_twice_is_there_once(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """Ten at once; also after its answer was lost, and after it was settled."""
    capture = ledgers.capture("p")
    put = await asyncio.gather(*(inbox.put("n1", capture) for _ in range(10)))
    assert sorted(put) == [False] * 9 + [True]
    with pytest.raises(AnswerLost):
        await PostgresInbox(forgetful(ledgers.engine)).put("n2", capture)
    assert not await inbox.put("n2", capture)
    await inbox.settle("n1", CaptureOutcome.ACCEPTED)
    assert not await inbox.put("n1", capture)
    assert await ledgers.one("SELECT count(*) FROM payment_notifications") == 2


async def test_what_was_put_is_what_is_claimed(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """To the fen and the microsecond."""
    capture = ledgers.capture("p", 123)
    await inbox.put("n1", capture)
    (claimed,) = await inbox.claim(5)
    assert (claimed.notification_id, claimed.capture, claimed.attempts) == ("n1", capture, 1)


async def test_several_relays_at_once_get_each_row_once(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """And no more than they asked for."""
    ids = await fill(inbox, ledgers, 40)
    claims = await asyncio.gather(*(inbox.claim(5) for _ in range(12)))
    assert max(len(claim) for claim in claims) <= 5
    claimed = [notification.notification_id for claim in claims for notification in claim]
    assert len(set(claimed)) == len(claimed)
    rest = [notification.notification_id for notification in await inbox.claim(40)]
    assert sorted(claimed + rest) == ids


async def test_a_relay_never_takes_more_than_it_asked_for_whatever_the_plan(
    inbox: PostgresInbox, ledgers: Ledgers
) -> None:
    """After the statistics of a large table and of a small one."""
    await fill(inbox, ledgers, 60)
    assert len(await inbox.claim(7)) == 7
    await ledgers.sql("ANALYZE payment_notifications")
    assert len(await inbox.claim(7)) == 7
    assert len(await inbox.claim(100)) == 46


async def test_the_longest_due_comes_first(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """Nobody waits behind those who came later."""
    ids = await fill(inbox, ledgers, 6)
    for n, notification_id in enumerate(ids):
        aged = "UPDATE payment_notifications SET due_at = now() - make_interval(secs => :n) WHERE notification_id = :id"
        await ledgers.sql(aged, n=n, id=notification_id)
    assert sorted(one.notification_id for one in await inbox.claim(2)) == ids[-2:]


async def test_a_lease_passes_on_when_it_ends_and_not_before(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """A relay that died is taken over from; the attempts are counted."""
    await fill(inbox, ledgers, 1)
    assert [one.attempts for one in await inbox.claim(1)] == [1]
    assert await inbox.claim(1) == []
    left = await ledgers.one("SELECT due_at - now() FROM payment_notifications")
    assert INBOX_LEASE - timedelta(seconds=5) < left <= INBOX_LEASE
    await ledgers.sql(LEASE_ENDS)
    assert [one.attempts for one in await inbox.claim(1)] == [2]


async def test_what_is_settled_is_never_claimed_again(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """Whatever its due time says; and it is kept, with its outcome."""
    await fill(inbox, ledgers, 1)
    await inbox.claim(1)
    await inbox.settle("n00", CaptureOutcome.TOO_LATE)
    await ledgers.sql("UPDATE payment_notifications SET due_at = now() - interval '1 day'")
    assert await inbox.claim(1) == []
    assert await ledgers.one("SELECT outcome FROM payment_notifications") == "TOO_LATE"


async def test_a_pause_is_kept(inbox: PostgresInbox, ledgers: Ledgers) -> None:
    """None is due before; no pause at all is due at once."""
    await fill(inbox, ledgers, 1)
    await inbox.claim(1)
    await inbox.retry_in("n00", timedelta(seconds=60))
    assert await inbox.claim(1) == []
    await inbox.retry_in("n00", timedelta())
    assert len(await inbox.claim(1)) == 1


async def test_money_without_an_open_run_is_told_apart_by_what_the_books_know(
    inbox: PostgresInbox, ledgers: Ledgers
) -> None:
    """Accepted before, on its way back, too late for its order, or for no order at all."""
    paid, unpaid = await ledgers.paid(), await ledgers.placed()
    back = ledgers.capture("p", capture_id="back")
    await ledgers.payments.take_stray(StrayCapture(capture=back, why=CaptureOutcome.UNKNOWN_ORDER))
    outcomes = {
        CaptureOutcome.DUPLICATE: ledgers.capture(paid),
        CaptureOutcome.ALREADY_STRAY: back,
        CaptureOutcome.TOO_LATE: ledgers.capture(unpaid),
        CaptureOutcome.UNKNOWN_ORDER: ledgers.capture(order_number()),
    }
    for outcome, capture in outcomes.items():
        assert await inbox.without_a_run(capture) is outcome
    assert await inbox.without_a_run(ledgers.capture("not a number")) is CaptureOutcome.UNKNOWN_ORDER


async def test_a_message_is_left_once_under_its_id(outbox: PostgresOutbox, ledgers: Ledgers) -> None:
    """The cause may be repeated."""
    await leave(ledgers, 1)
    await leave(ledgers, 1)
    (message,) = await outbox.claim(5)
    assert (message.message_id, message.topic, message.body, message.attempts) == ("m00", ALARM, {"n": 0}, 1)


async def test_several_posters_at_once_get_each_message_once(outbox: PostgresOutbox, ledgers: Ledgers) -> None:
    """And no more than they asked for."""
    await leave(ledgers, 30)
    claims = await asyncio.gather(*(outbox.claim(5) for _ in range(10)))
    assert max(len(claim) for claim in claims) <= 5
    claimed = [message.message_id for claim in claims for message in claim]
    assert len(set(claimed)) == len(claimed)
    assert len(claimed) + len(await outbox.claim(30)) == 30


async def test_a_message_that_nobody_takes_waits_longer_each_time_and_never_for_ever(
    outbox: PostgresOutbox, ledgers: Ledgers
) -> None:
    """Twice as long as before, up to the longest pause."""
    await leave(ledgers, 1)
    waits = []
    for attempt in range(1, 14):
        (message,) = await outbox.claim(1)
        assert message.attempts == attempt
        assert await outbox.claim(1) == []
        wait: timedelta = await ledgers.one("SELECT due_at - now() FROM outbox")
        waits.append(round((wait - LEASE).total_seconds()))
        await ledgers.sql("UPDATE outbox SET due_at = now()")
    assert waits == [min(2**n, LONGEST_PAUSE_S) for n in range(13)]


async def test_what_is_posted_is_never_claimed_again_and_the_rest_is(outbox: PostgresOutbox, ledgers: Ledgers) -> None:
    """At least once, then no more."""
    await leave(ledgers, 3)
    claimed = await outbox.claim(3)
    await outbox.posted([message.id for message in claimed if message.message_id != "m01"])
    await ledgers.sql("UPDATE outbox SET due_at = now()")
    assert [message.message_id for message in await outbox.claim(3)] == ["m01"]
