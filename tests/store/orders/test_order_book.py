"""The order book up to the split: each act counts once, and money that an order takes is in the journal."""

import asyncio

import pytest
from sqlalchemy.exc import NoResultFound

from activities.orders import AcceptPayment, CloseLines, CloseOrder, FileCaptures, OrderClosing, RecordRefusal
from activities.payment import StrayCapture
from domain.order.lines import Placement, Refusal, RefusalCode
from domain.order.order_number import parse
from domain.order.precedence import CaptureOutcome
from domain.order.status import CloseReason, Status
from store.orders.order_book import PostgresOrderBook
from tests.support.books import BUYER, NOW, AnswerLost, Ledgers, forgetful, line, order_number

ACCEPTED, DUPLICATE, STRAY = CaptureOutcome.ACCEPTED, CaptureOutcome.DUPLICATE, CaptureOutcome.ALREADY_STRAY


async def test_an_order_is_recorded_once_with_its_lines_and_its_answer(ledgers: Ledgers) -> None:
    """Ten times at once, and all get the same placement."""
    order_no = order_number()
    record = ledgers.record(order_no, [line(1), line(2, quantity=3, off_fen=100)])
    answers = await asyncio.gather(*(ledgers.book.record_order(record) for _ in range(10)))
    due = Placement(order_no=order_no, amount_due_fen=3_900, pay_by=record.pay_by)
    assert answers == [due] * 10
    view = await ledgers.views.order(order_no)
    assert view is not None
    assert (view.status, view.buyer_id, view.goods_fen, view.amount_due_fen) == (
        Status.PENDING_PAYMENT,
        BUYER,
        4_000,
        3_900,
    )
    assert [(kept.quantity, kept.pay_fen) for kept in view.lines] == [(1, 1_000), (3, 2_900)]
    assert [event.action for event in view.events] == ["PLACE"]


async def test_an_order_that_costs_nothing_awaits_its_shipment_at_once(ledgers: Ledgers) -> None:
    """Edge case 8: it does not expire as unpaid."""
    assert await ledgers.status(await ledgers.placed(line(fen=0))) is Status.AWAITING_SHIPMENT


async def test_a_refusal_leaves_an_answer_and_no_order(ledgers: Ledgers) -> None:
    """What operators read is in the events only."""
    refusal = Refusal(code=RefusalCode.NOT_ACCEPTED, detail="not accepted")
    placement = Placement(order_no=order_number(), refusal=refusal)
    request = RecordRefusal(placement=placement, to_operators="device on the block list", at=NOW)
    for _ in range(2):
        assert await ledgers.book.record_refusal(request) == placement
    assert await ledgers.views.order(placement.order_no) is None
    assert await ledgers.views.refusal(placement.order_no) == placement
    (event,) = await ledgers.views.events(placement.order_no)
    assert event.detail == "NOT_ACCEPTED: device on the block list"


async def test_one_answer_per_order_whichever_came_first(ledgers: Ledgers) -> None:
    """A run that starts over under another price or verdict gets what was answered."""
    order_no = await ledgers.placed()
    refusal = Placement(order_no=order_no, refusal=Refusal(code=RefusalCode.PRICE_CHANGED, detail=""))
    answer = await ledgers.book.record_refusal(RecordRefusal(placement=refusal, to_operators="", at=NOW))
    assert answer.refusal is None
    assert await ledgers.views.refusal(order_no) is None


async def test_a_payment_is_accepted_once_and_its_repeats_are_duplicates(ledgers: Ledgers) -> None:
    """Edge case 9: the return page and the webhook both bring it."""
    order_no = await ledgers.placed()
    capture = ledgers.capture(order_no)
    outcomes = await asyncio.gather(*(ledgers.accept(order_no, capture) for _ in range(10)))
    assert sorted(outcomes) == [ACCEPTED] + [DUPLICATE] * 9
    assert await ledgers.status(order_no) is Status.AWAITING_SHIPMENT
    assert await ledgers.balances() == {"provider": 1_000, "orders": -1_000}
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE message_id LIKE 'paid/%'") == 1


async def test_of_two_captures_of_one_payment_one_is_accepted(ledgers: Ledgers) -> None:
    """At one instant, on many orders: the other is not on the books yet, and can be sent back as stray."""
    for _ in range(15):
        order_no = await ledgers.placed()
        captures = [ledgers.capture(order_no, capture_id=f"{order_no}-{n}") for n in (1, 2)]
        outcomes = await asyncio.gather(*(ledgers.accept(order_no, capture) for capture in captures))
        assert sorted(outcomes) == [ACCEPTED, CaptureOutcome.PAID_TWICE]
        second = captures[outcomes.index(CaptureOutcome.PAID_TWICE)]
        taken = await ledgers.payments.take_stray(StrayCapture(capture=second, why=CaptureOutcome.PAID_TWICE))
        assert taken.refund_no == f"S{second.capture_id}"


async def test_a_capture_that_was_stray_before_is_never_accepted(ledgers: Ledgers) -> None:
    """It is on its way back: the order stays unpaid."""
    order_no = await ledgers.placed()
    capture = ledgers.capture(order_no)
    await ledgers.payments.take_stray(StrayCapture(capture=capture, why=CaptureOutcome.TOO_LATE))
    assert await ledgers.accept(order_no, capture) is STRAY
    assert await ledgers.status(order_no) is Status.PENDING_PAYMENT
    assert await ledgers.balances() == {"provider": 1_000, "stray": -1_000}


async def test_a_payment_never_reopens_a_closed_order(ledgers: Ledgers) -> None:
    """Edge case 6: nothing of it is kept, so the money can still go back as stray."""
    order_no = await ledgers.placed()
    await ledgers.book.close_order(CloseOrder(order_no=order_no, reason=CloseReason.UNPAID, at=NOW))
    assert await ledgers.accept(order_no, ledgers.capture(order_no)) is CaptureOutcome.TOO_LATE
    assert await ledgers.status(order_no) is Status.CLOSED
    assert await ledgers.one("SELECT count(*) FROM captures") == 0


async def test_a_payment_of_an_order_that_does_not_exist_is_a_fault(ledgers: Ledgers) -> None:
    """And leaves nothing behind."""
    with pytest.raises(NoResultFound):
        await ledgers.accept(order_number(), ledgers.capture("nobody"))
    assert await ledgers.one("SELECT count(*) FROM captures") == 0


async def test_an_unpaid_order_closes_once_and_owes_nothing(ledgers: Ledgers) -> None:
    """With its reason, and one notice."""
    order_no = await ledgers.placed()
    close = CloseOrder(order_no=order_no, reason=CloseReason.UNPAID, at=NOW)
    answers = await asyncio.gather(*(ledgers.book.close_order(close) for _ in range(5)))
    assert [answer.owed for answer in answers] == [[]] * 5
    view = await ledgers.views.order(order_no)
    assert view is not None
    assert (view.status, view.close_reason) == (Status.CLOSED, CloseReason.UNPAID)
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE message_id LIKE 'closed/%'") == 1


async def test_a_paid_order_that_closes_owes_exactly_one_refund_of_all_of_it(ledgers: Ledgers) -> None:
    """However often it is closed."""
    order_no = await ledgers.paid()
    close = CloseOrder(order_no=order_no, reason=CloseReason.RISK_REJECTED, at=NOW)
    answers = await asyncio.gather(*(ledgers.book.close_order(close) for _ in range(5)))
    assert [[owed.refund_no for owed in answer.owed] for answer in answers] == [[f"{order_no}R01"]] * 5
    assert (await ledgers.payments.refund_to_make(f"{order_no}R01")).amount_fen == 1_000


async def test_between_a_closing_and_a_split_the_first_holds_and_the_second_is_told(ledgers: Ledgers) -> None:
    """Two tries of one workflow task may take different ways, when a message came between them."""
    closing = CloseReason.CANCELLED_BY_BUYER
    split, _ = await ledgers.split()
    assert (await ledgers.book.close_order(CloseOrder(order_no=split, reason=closing, at=NOW))).split
    assert await ledgers.status(split) is Status.AWAITING_SHIPMENT
    closed = await ledgers.paid()
    assert not (await ledgers.book.close_order(CloseOrder(order_no=closed, reason=closing, at=NOW))).split
    assert (await ledgers.book.record_split(ledgers.split_request(closed))).closed is closing
    assert (await ledgers.book.lines_to_split(closed)).closed is closing
    assert await ledgers.one("SELECT count(*) FROM sub_orders WHERE order_no = :no", no=int(closed)) == 0


async def test_a_closing_after_lines_were_closed_pays_back_the_rest_and_names_both_refunds(ledgers: Ledgers) -> None:
    """Never more than was paid; and a line can't be closed any more."""
    goods = [line(1, fen=700), line(2, fen=300)]
    order_no = await ledgers.paid(*goods, shipping_fen=80)
    first = await ledgers.book.close_lines(CloseLines(order_no=order_no, lines=[2], at=NOW))
    closing = CloseOrder(order_no=order_no, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW)
    closed = await ledgers.book.close_order(closing)
    assert [owed.refund_no for owed in closed.owed] == [first.refund_no, f"{order_no}R02"]
    amounts = await ledgers.sql("SELECT amount_fen FROM refunds ORDER BY refund_no")
    assert [row.amount_fen for row in amounts] == [300, 780]
    assert await ledgers.balances() == {"provider": 1_080, "refunds": -1_080}
    other = await ledgers.paid(*goods)
    await ledgers.book.close_order(CloseOrder(order_no=other, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW))
    late = await ledgers.book.close_lines(CloseLines(order_no=other, lines=[2], at=NOW))
    assert late.refund_no is None


async def test_a_paid_order_does_not_expire(ledgers: Ledgers) -> None:
    """Edge case 13: the deadline's job is told that the order is paid, writes nothing, and bars no later cancel."""
    order_no = await ledgers.paid()
    before = await ledgers.views.events(order_no)
    unpaid = CloseOrder(order_no=order_no, reason=CloseReason.UNPAID, at=NOW)
    assert await ledgers.book.close_order(unpaid) == OrderClosing(paid_after_all=True)
    assert await ledgers.status(order_no) is Status.AWAITING_SHIPMENT
    assert await ledgers.views.events(order_no) == before
    assert await ledgers.one("SELECT count(*) FROM outbox WHERE message_id LIKE 'closed/%'") == 0
    cancel = CloseOrder(order_no=order_no, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW)
    assert [owed.refund_no for owed in (await ledgers.book.close_order(cancel)).owed] == [f"{order_no}R01"]
    assert await ledgers.book.close_order(unpaid) == await ledgers.book.close_order(cancel)


async def test_a_split_is_made_once_and_adds_up_to_the_order(ledgers: Ledgers) -> None:
    """Ten at once; every sub-order's number reads back to the order."""
    goods = (line(1, "m1", off_fen=1), line(2, "m2", quantity=3), line(3, "m1", off_fen=99))
    order_no = await ledgers.paid(*goods)
    asked = ledgers.split_request(order_no, *goods)
    done = await asyncio.gather(*(ledgers.book.record_split(asked) for _ in range(10)))
    assert all(one == done[0] for one in done)
    plans = done[0].sub_orders
    assert [(plan.merchant, plan.pay_fen) for plan in plans] == [("m1", 1_900), ("m2", 3_000)]
    assert {parse(plan.sub_order_no).order_no for plan in plans} == {order_no}
    sums = await ledgers.sql("SELECT sum(pay_fen)::bigint, sum(goods_fen)::bigint FROM sub_orders")
    assert sums == [(4_900, 5_000)]
    assert await ledgers.sql("SELECT sum(pay_fen)::bigint, sum(goods_fen)::bigint FROM sub_order_lines") == sums


async def test_captures_that_the_provider_told_of_are_filed_once(ledgers: Ledgers) -> None:
    """As if they had been notified."""
    captures = [ledgers.capture("unknown", capture_id=f"c{n}") for n in range(3)]
    assert (await ledgers.book.file_captures(FileCaptures(captures=captures))).changed
    assert not (await ledgers.book.file_captures(FileCaptures(captures=captures))).changed
    assert await ledgers.one("SELECT count(*) FROM payment_notifications") == 3


async def test_a_commit_whose_answer_is_lost_has_its_effect_once(ledgers: Ledgers) -> None:
    """Place, pay and split, each answered with a fault and then asked again."""
    losing = PostgresOrderBook(forgetful(ledgers.engine))
    order_no = order_number()
    record = ledgers.record(order_no, [line()])
    with pytest.raises(AnswerLost):
        await losing.record_order(record)
    assert (await ledgers.book.record_order(record)).amount_due_fen == 1_000
    with pytest.raises(AnswerLost):
        await losing.accept_payment(AcceptPayment(order_no=order_no, capture=ledgers.capture(order_no)))
    assert await ledgers.accept(order_no, ledgers.capture(order_no)) is DUPLICATE
    with pytest.raises(AnswerLost):
        await losing.record_split(ledgers.split_request(order_no))
    assert len((await ledgers.book.record_split(ledgers.split_request(order_no))).sub_orders) == 1
    assert await ledgers.balances() == {"provider": 1_000, "orders": -1_000}
    assert [event.action for event in await ledgers.views.events(order_no)] == ["PLACE", "PAY", "SPLIT"]
