"""The order book from the split on: ship against cancel, receipts, reviews, and the status that is folded."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import text

from activities.sub_orders import Closed, RecordDelivered, SubOrderOf
from domain.order.acts import Scan, ScanKind
from domain.order.order_number import parse
from domain.order.reservation import StockLine
from domain.order.status import Action, Actor, Answer, CloseReason, Status
from store.database.engine import engine_for
from store.orders.closings import close_sub_orders
from tests.support.books import NOW, SOMEBODY_WAITS, Ledgers, closing_of, line
from tests.support.shop import until

THREE = (line(1, "m1"), line(2, "m2"), line(3, "m3"))


@pytest.fixture
async def rival(ledgers: Ledgers, database_url: str) -> AsyncIterator[Ledgers]:
    """The same ledgers, through connections of their own."""
    engine = engine_for(database_url, pool_size=4)
    yield Ledgers(engine)
    await engine.dispose()


async def test_a_parcel_goes_its_way(ledgers: Ledgers) -> None:
    """Shipped, delivered, received, reviewed; and a repeat of each changes nothing."""
    order_no, (sub,) = await ledgers.split()
    delivered = RecordDelivered(sub_order_no=sub, actor=Actor.CARRIER, at=NOW)
    for _ in range(2):
        assert await ledgers.ship(sub) == Answer(status=Status.SHIPPED)
        assert await ledgers.sub_book.record_delivered(delivered) == Answer(status=Status.SHIPPED)
    for _ in range(2):
        assert await ledgers.receive(sub) == Answer(status=Status.COMPLETED)
    assert await ledgers.sub_book.review(sub, 5, "good", NOW) == Answer(status=Status.REVIEWED)
    again = await ledgers.sub_book.review(sub, 1, "bad", NOW)
    assert again.refused is not None
    assert await ledgers.status(order_no) is Status.REVIEWED
    told = [event.action for event in await ledgers.views.events(order_no) if event.subject == sub]
    assert told == ["SHIP", "DELIVER", "CONFIRM_RECEIPT", "REVIEW"]


async def test_a_parcel_ships_once_under_one_tracking_number(ledgers: Ledgers) -> None:
    """The same number again is the same answer, twenty times at once; another is refused."""
    _, (sub,) = await ledgers.split()
    answers = await asyncio.gather(*(ledgers.ship(sub, "T1") for _ in range(20)))
    assert answers == [Answer(status=Status.SHIPPED)] * 20
    other = await ledgers.ship(sub, "T2")
    assert other.refused is not None
    assert await ledgers.one("SELECT tracking_no FROM sub_orders") == "T1"
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE message_id LIKE 'shipped/%'") == 1


async def test_who_has_waited_for_an_order_sees_its_sub_orders_as_they_are_now(
    ledgers: Ledgers, rival: Ledgers
) -> None:
    """Not as they were when the wait began: a parcel that was cancelled meanwhile does not ship."""
    order_no, (first, second) = await ledgers.split(*THREE[:2])
    async with ledgers.engine.begin() as db:
        closed = await close_sub_orders(db, closing_of(order_no, first))
        assert closed.refused is None
        shipping = asyncio.create_task(rival.ship(first))
        await until(lambda: ledgers.sql(SOMEBODY_WAITS), bool)
    answer = await shipping
    assert answer.refused is not None and answer.status is Status.CLOSED
    assert await ledgers.ship(second) == Answer(status=Status.SHIPPED)
    assert await ledgers.status(order_no) is Status.SHIPPED, "folded without the one that is closed"


async def test_a_refusal_to_one_party_is_not_the_answer_to_another(ledgers: Ledgers) -> None:
    """The carrier may not ship; the merchant then may, with the same tracking number."""
    _, (sub,) = await ledgers.split()
    assert (await ledgers.ship(sub, actor=Actor.CARRIER)).refused is not None
    assert await ledgers.ship(sub, actor=Actor.MERCHANT) == Answer(status=Status.SHIPPED)


async def test_ship_against_cancel_has_exactly_one_winner(ledgers: Ledgers, rival: Ledgers) -> None:
    """Edge case 32, fifty times from two connections: shipped and not refunded, or closed and refunded."""
    winners: set[Status] = set()
    for n in range(52):
        order_no, (sub,) = await ledgers.split()
        if n == 0:
            shipped, closed = await ledgers.ship(sub), await rival.close(order_no, sub)
        elif n == 1:
            closed, shipped = await rival.close(order_no, sub), await ledgers.ship(sub)
        elif n % 2:
            shipped, closed = await asyncio.gather(ledgers.ship(sub), rival.close(order_no, sub))
        else:
            closed, shipped = await asyncio.gather(rival.close(order_no, sub), ledgers.ship(sub))
        assert (shipped.refused is None) != (closed.refused is None)
        status = await ledgers.sub_status(sub)
        assert status is (Status.SHIPPED if shipped.refused is None else Status.CLOSED)
        refunds = await ledgers.one("SELECT count(*) FROM refunds WHERE order_no = :no", no=int(order_no))
        assert refunds == (0 if status is Status.SHIPPED else 1)
        assert await ledgers.status(order_no) is status
        winners.add(status)
    assert winners == {Status.SHIPPED, Status.CLOSED}


async def test_all_sub_orders_are_closed_or_none_is(ledgers: Ledgers) -> None:
    """One has shipped: nothing changes, and the refusal says what can be cancelled by itself."""
    order_no, subs = await ledgers.split(*THREE)
    await ledgers.ship(subs[1])
    answer = await ledgers.close(order_no)
    assert answer.refused is not None
    assert (answer.refused.action, answer.closed) == (Action.CANCEL, [])
    assert answer.refused.status is Status.PARTIALLY_SHIPPED
    assert subs[0] in answer.refused.reason
    assert subs[2] in answer.refused.reason
    assert subs[1] not in answer.refused.reason
    assert await ledgers.one("SELECT count(*) FROM refunds") == 0
    assert await ledgers.status(order_no) is Status.PARTIALLY_SHIPPED


async def test_closing_all_names_the_refund_and_the_pieces_that_come_back(ledgers: Ledgers) -> None:
    """Once, however often the request is repeated."""
    order_no, subs = await ledgers.split(line(1, "m1", quantity=2, off_fen=10), line(2, "m2"), line(3, "m1"))
    answers = await asyncio.gather(*(ledgers.close(order_no) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].closed == subs
    assert answers[0].owed.refund_no == f"{order_no}R01"
    assert answers[0].owed.restock == [
        StockLine(line_no=1, sku="SKU1", quantity=2),
        StockLine(line_no=2, sku="SKU2", quantity=1),
        StockLine(line_no=3, sku="SKU3", quantity=1),
    ]
    assert (await ledgers.payments.refund_to_make(f"{order_no}R01")).amount_fen == 3_990
    view = await ledgers.views.order(order_no)
    assert view is not None
    assert (view.status, view.close_reason) == (Status.CLOSED, CloseReason.CANCELLED_BY_BUYER)


async def test_each_sub_order_is_closed_and_owed_by_itself_and_the_rest_with_the_order(ledgers: Ledgers) -> None:
    """Three closings of one order: a refund and a restock of its own for each, and never more than was paid."""
    order_no, subs = await ledgers.split(*THREE)
    closed = [await ledgers.close(order_no, sub) for sub in (subs[0], subs[1], None)]
    assert [one.closed for one in closed] == [[sub] for sub in subs]
    assert [one.owed.refund_no for one in closed] == [f"{order_no}R01", f"{order_no}R02", f"{order_no}R03"]
    assert len({one.owed.key for one in closed}) == 3
    assert await ledgers.one("SELECT sum(amount_fen)::bigint FROM refunds") == 3_000
    assert [await ledgers.close(order_no, sub) for sub in (subs[0], subs[1], None)] == closed


async def test_a_cancel_that_was_refused_may_be_answered_otherwise_later(ledgers: Ledgers) -> None:
    """A refusal is not kept under the key: a closed one is refused with its state."""
    order_no, (sub,) = await ledgers.split()
    await ledgers.ship(sub)
    first = await ledgers.close(order_no)
    await ledgers.receive(sub)
    second = await ledgers.close(order_no)
    assert first.refused is not None
    assert second.refused is not None
    assert (first.refused.status, second.refused.status) == (Status.SHIPPED, Status.COMPLETED)
    assert await ledgers.one("SELECT count(*) FROM order_operations WHERE key LIKE '%/cancel'") == 0


async def test_a_carriers_report_is_kept_once_by_its_event_id(ledgers: Ledgers) -> None:
    """And only of a parcel that is under way."""
    _, (sub,) = await ledgers.split()
    scan = Scan(event_id="e1", kind=ScanKind.IN_TRANSIT, place="Hangzhou", at=NOW)
    assert (await ledgers.sub_book.record_scan(sub, scan)).refused is not None
    await ledgers.ship(sub)
    for _ in range(2):
        assert await ledgers.sub_book.record_scan(sub, scan) == Answer(status=Status.SHIPPED)
    assert await ledgers.one("SELECT count(*) FROM tracking_events") == 1


async def test_a_run_that_starts_over_finds_how_far_the_one_before_had_come(ledgers: Ledgers) -> None:
    """Status, delivery and reason, of a sub-order by its number."""
    order_no, subs = await ledgers.split(*THREE)
    await ledgers.ship(subs[0])
    await ledgers.sub_book.record_delivered(RecordDelivered(sub_order_no=subs[0], actor=Actor.CARRIER, at=NOW))
    await ledgers.close(order_no, subs[1])
    facts = [await ledgers.sub_book.sub_order_facts(SubOrderOf(sub_order_no=sub)) for sub in subs]
    assert [(one.status, one.delivered, one.close_reason) for one in facts] == [
        (Status.SHIPPED, True, None),
        (Status.CLOSED, False, CloseReason.CANCELLED_BY_BUYER),
        (Status.AWAITING_SHIPMENT, False, None),
    ]
    assert await ledgers.sub_book.status(parse(subs[0])) == (Status.SHIPPED, None)
    assert await ledgers.sub_book.status(parse(order_no)) == (Status.PARTIALLY_SHIPPED, None)


@pytest.mark.parametrize("seed", range(6))
async def test_the_orders_status_always_is_what_its_sub_orders_make_of_it(ledgers: Ledgers, seed: int) -> None:
    """After every act of a random crowd; and it never pays back more than was paid."""
    rng = random.Random(seed)
    order_no, subs = await ledgers.split(*THREE)
    for step in range(25):
        sub = rng.choice(subs)
        acts: tuple[Callable[[], Awaitable[Answer | Closed]], ...] = (
            partial(ledgers.ship, sub, f"T{step}"),
            partial(ledgers.receive, sub),
            partial(ledgers.sub_book.review, sub, 5, "", NOW),
            partial(ledgers.close, order_no, rng.choice([sub, sub, sub, None])),
        )
        await asyncio.gather(*(act() for act in rng.sample(acts, 2)))
        await ledgers.status(order_no)  # checks it
        assert (await ledgers.one("SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds")) <= 3_000
    closed = await ledgers.one("SELECT coalesce(sum(pay_fen), 0)::bigint FROM sub_orders WHERE status = 'CLOSED'")
    assert await ledgers.one("SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds") == closed


async def test_a_sub_order_that_closes_while_it_is_read_is_open_with_its_pieces_or_closed_without(
    ledgers: Ledgers, rival: Ledgers
) -> None:
    """All of it is of one moment: a merchant was once handed a parcel with nothing in it."""
    order_no, (sub,) = await ledgers.split()
    async with rival.engine.begin() as closing:
        await closing.execute(text("LOCK TABLE sub_order_lines"))  # the reader has the row, and not yet the pieces
        reading = asyncio.create_task(ledgers.sub_book.sub_order_facts(SubOrderOf(sub_order_no=sub)))
        await until(lambda: ledgers.sql(SOMEBODY_WAITS), bool)
        assert (await close_sub_orders(closing, closing_of(order_no, sub))).closed == [sub]
    facts = await reading
    assert (facts.close_reason is None) == bool(facts.left)
