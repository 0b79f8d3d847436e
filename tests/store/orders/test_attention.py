"""What waits for a person says so, on the sub-order and on the order, until it no longer waits."""

import asyncio

from activities.attention import RecordAttention
from activities.orders import CloseOrder
from domain.order.status import CloseReason, Status
from tests.support.books import NOW, Ledgers, line, order_number


async def mark(ledgers: Ledgers, order_no: str, subject: str, text: str | None, topic: str = "hand-over") -> bool:
    request = RecordAttention(order_no=order_no, subject=subject, topic=topic, text=text, at=NOW)
    return (await ledgers.attention.record_attention(request)).changed


async def marked(ledgers: Ledgers, order_no: str) -> list[tuple[str, str]]:
    view = await ledgers.views.order(order_no)
    assert view is not None
    return [(attention.subject, attention.topic) for attention in view.attention]


async def test_a_stuck_sub_order_is_in_exception_and_heals(ledgers: Ledgers) -> None:
    """The order keeps its own status, and bears the mark."""
    order_no, (first, second) = await ledgers.split(line(1, "m1"), line(2, "m2"))
    assert await mark(ledgers, order_no, first, "no answer")
    assert await ledgers.sub_status(first) is Status.EXCEPTION
    assert await ledgers.sub_status(second) is Status.AWAITING_SHIPMENT
    assert await ledgers.status(order_no) is Status.AWAITING_SHIPMENT
    assert await marked(ledgers, order_no) == [(first, "hand-over")]
    assert await mark(ledgers, order_no, first, None)
    assert await ledgers.sub_status(first) is Status.AWAITING_SHIPMENT
    assert await marked(ledgers, order_no) == []


async def test_the_same_trouble_raises_one_alarm(ledgers: Ledgers) -> None:
    """And healing what does not ail changes nothing."""
    order_no, (sub,) = await ledgers.split()
    changed = await asyncio.gather(*(mark(ledgers, order_no, sub, "no answer") for _ in range(10)))
    assert sorted(changed) == [False] * 9 + [True]
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE topic = 'alarm'") == 1
    assert [await mark(ledgers, order_no, sub, None) for _ in range(2)] == [True, False]
    stuck = [event.action for event in await ledgers.views.events(order_no) if event.subject == sub]
    assert stuck == ["GET_STUCK", "HEAL"]


async def test_it_stays_in_exception_until_the_last_of_its_troubles_is_over(ledgers: Ledgers) -> None:
    """Two topics; one heals."""
    order_no, (sub,) = await ledgers.split()
    await mark(ledgers, order_no, sub, "no answer", "hand-over")
    await mark(ledgers, order_no, sub, "no label", "label")
    await mark(ledgers, order_no, sub, None, "hand-over")
    assert await ledgers.sub_status(sub) is Status.EXCEPTION
    await mark(ledgers, order_no, sub, None, "label")
    assert await ledgers.sub_status(sub) is Status.AWAITING_SHIPMENT


async def test_a_parcel_that_has_shipped_keeps_its_status_and_bears_the_mark(ledgers: Ledgers) -> None:
    """Lost on its way: the mark alone tells."""
    order_no, (sub,) = await ledgers.split()
    await ledgers.ship(sub)
    assert await mark(ledgers, order_no, sub, "not delivered", "transit")
    assert await ledgers.sub_status(sub) is Status.SHIPPED
    assert await marked(ledgers, order_no) == [(sub, "transit")]


async def test_shipping_and_closing_end_the_troubles_of_a_sub_order_and_not_of_its_neighbours(
    ledgers: Ledgers,
) -> None:
    """What was shipped or closed needs nobody any more."""
    order_no, subs = await ledgers.split(line(1, "m1"), line(2, "m2"), line(3, "m3"))
    for sub in subs:
        await mark(ledgers, order_no, sub, "no answer")
    await ledgers.ship(subs[0])
    await ledgers.close(order_no, subs[1])
    assert await marked(ledgers, order_no) == [(subs[2], "hand-over")]
    assert await ledgers.status(order_no) is Status.PARTIALLY_SHIPPED


async def test_an_order_that_is_not_written_down_yet_can_need_a_person(ledgers: Ledgers) -> None:
    """The stock ledger may be down before there is an order to show."""
    order_no = order_number()
    assert await mark(ledgers, order_no, "", "no answer", "stock")
    assert await mark(ledgers, order_no, "", None, "stock")


async def test_trouble_that_heals_while_the_sub_order_is_closed_never_deadlocks(ledgers: Ledgers) -> None:
    """Thirty times at one instant: closed in the end, with nothing left that needs a person."""

    async def race() -> None:
        order_no, (sub,) = await ledgers.split()
        for topic in "abc":
            await mark(ledgers, order_no, sub, "no answer", topic)
        healing = [mark(ledgers, order_no, sub, None, topic) for topic in "abc"]
        await asyncio.gather(*healing, ledgers.close(order_no, sub))
        assert await ledgers.sub_status(sub) is Status.CLOSED
        assert await marked(ledgers, order_no) == []

    for _ in range(6):
        await asyncio.gather(*(race() for _ in range(5)))


async def test_whoever_is_asked_for_while_an_order_is_open_is_not_once_it_has_closed(ledgers: Ledgers) -> None:
    """Both at one instant, thirty times: whichever comes first, the closing ends it. Others may still be asked for."""

    async def race(n: int) -> None:
        order_no = await ledgers.placed()
        closing = CloseOrder(order_no=order_no, reason=CloseReason.UNPAID, at=NOW)
        review = RecordAttention(
            order_no=order_no, subject="", topic="risk review", text="decide", while_open=True, at=NOW
        )
        acts = [ledgers.book.close_order(closing), ledgers.attention.record_attention(review)]
        await asyncio.gather(*(acts if n % 2 else reversed(acts)))
        assert await marked(ledgers, order_no) == []
        assert not (await ledgers.attention.record_attention(review)).changed
        assert await mark(ledgers, order_no, "", "no answer", "refund")

    for _ in range(6):
        await asyncio.gather(*(race(n) for n in range(5)))


async def test_whoever_is_asked_for_after_an_order_has_closed_is_not_needed_once_the_closing_is_heard_of(
    ledgers: Ledgers,
) -> None:
    """The closing's first try was lost with its worker, and the next one asks for a person before it closes again."""
    order_no = await ledgers.placed()
    closing = CloseOrder(order_no=order_no, reason=CloseReason.UNPAID, at=NOW)
    first = await ledgers.book.close_order(closing)
    assert await mark(ledgers, order_no, "", "nobody has decided in time", topic="risk review, escalated")
    assert await ledgers.book.close_order(closing) == first
    assert await marked(ledgers, order_no) == []
