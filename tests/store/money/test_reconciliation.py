"""The reconciliation: silent while the ledgers are right, and each of its questions finds what it asks for."""

import pytest
from sqlalchemy import text

from activities.orders import CloseOrder
from activities.payment import StrayCapture
from domain.order.payment import RefundAnswer, RefundState
from domain.order.precedence import CaptureOutcome
from domain.order.status import CloseReason
from store.money.reconciliation import QUESTIONS, mismatches
from store.money.settlement import PostgresSettlement
from tests.support.books import DUE, NOW, Ledgers, line
from tests.support.refunds import Refunds, shared

A_CAPTURE = "(SELECT capture_id FROM captures WHERE fate = 'ACCEPTED' LIMIT 1)"
A_CLOSED_ORDER = "(SELECT order_no FROM orders WHERE status = 'CLOSED')"
A_SPLIT_ORDER = "(SELECT order_no FROM sub_orders WHERE settled_at IS NULL LIMIT 1)"
TWO_LEGS = """
WITH p AS (INSERT INTO journal_postings (key, kind, reference, at)
  SELECT 'wrong', 'WRONG', {order}::text, now() RETURNING key)
INSERT INTO journal_legs (key, leg, account, currency, amount_fen)
  SELECT key, leg, account, '{currency}', fen
  FROM p, (VALUES (0, 'provider', 1), (1, '{account}', -1)) legs (leg, account, fen)
"""
# By the question that has to find it. Some of these break more than one promise.
WRONG = {
    "postings that do not sum to zero": "UPDATE journal_legs SET amount_fen = 7 WHERE account = 'provider'",
    "accepted captures that the journal has not, or otherwise": (
        f"UPDATE captures SET currency = 'USD' WHERE capture_id = {A_CAPTURE}"
    ),
    "split orders whose goods or shipping are not what the order book says": TWO_LEGS.format(
        order=A_SPLIT_ORDER, currency="CNY", account="shipping"
    ),
    "orders that have money in another currency than theirs": TWO_LEGS.format(
        order=A_SPLIT_ORDER, currency="USD", account="orders"
    ),
    "closed orders that still have a buyer's money": TWO_LEGS.format(
        order=A_CLOSED_ORDER, currency="CNY", account="orders"
    ),
    "orders that owe another refund than is to be made": (
        "UPDATE refunds SET state = 'REQUESTED' WHERE state = 'DONE' AND order_no IS NOT NULL"
    ),
    "orders that are paid back more than was paid": (
        "UPDATE refunds SET amount_fen = 1000000 WHERE order_no IS NOT NULL"
    ),
    "lines of which other pieces went back than were refunded": "UPDATE sub_order_lines SET refunded = refunded + 1",
    "units that went back twice": ("UPDATE piece_refund_lines SET first_unit = 1, last_unit = 3 WHERE first_unit > 1"),
    "refunds by pieces whose lines do not add up": "UPDATE piece_refund_lines SET pay_fen = pay_fen + 1",
    "refunds by pieces that are another amount at the provider": (
        "UPDATE piece_refunds SET shipping_fen = shipping_fen + 1"
    ),
    "merchants' postings that no statement row has, or otherwise": (
        "UPDATE statement_rows SET merchant = 'another' WHERE refunds_fen = 0"
    ),
    "statements whose rows do not add up": "UPDATE statements SET total_fen = total_fen + 1",
    "settled sub-orders without a posting, or with more than one": (
        "UPDATE sub_orders SET settled_at = now() WHERE settled_at IS NULL"
    ),
    "members whose points are not those of what they kept": ("DELETE FROM point_entries WHERE entry = 'EARNED'"),
}


@pytest.fixture
async def busy(ledgers: Ledgers) -> Ledgers:
    """Orders at every stage: one settled and refunded after it, one with a refund on its way, one closed, one new."""
    refunds = Refunds(ledgers)
    _, (settled,) = await ledgers.split(shared(1, "m1", 4, 550, 275, 100), shipping_fen=50)
    await refunds.received(settled)
    await PostgresSettlement(ledgers.engine).settle(DUE)
    done = (await refunds.decide(settled, {1: 1})).owed.refund_no
    assert done is not None
    await ledgers.payments.refund_answered(RefundAnswer(refund_no=done, state=RefundState.DONE))
    await refunds.decide(settled, {1: 1})
    closed = await ledgers.paid()
    await ledgers.book.close_order(CloseOrder(order_no=closed, reason=CloseReason.CANCELLED_BY_BUYER, at=NOW))
    await ledgers.split(line(1, quantity=2), shipping_fen=30)
    await ledgers.placed()
    return ledgers


@pytest.mark.parametrize("question", QUESTIONS)
async def test_each_question_is_silent_until_there_is_something_to_find(busy: Ledgers, question: str) -> None:
    assert await mismatches(busy.engine) == []
    async with busy.engine.begin() as db:  # as somebody who owns the database, and switches its triggers off
        await db.execute(text("SET LOCAL session_replication_role = replica"))
        assert (await db.execute(text(WRONG[question]))).rowcount > 0
    assert question in {found.split(":")[0] for found in await mismatches(busy.engine)}


@pytest.mark.parametrize("sent_back", [False, True])
async def test_stray_money_of_another_currency_is_no_mismatch_of_its_order(busy: Ledgers, sent_back: bool) -> None:
    """Paid in dollars first, then rightly, split, and a piece of it cancelled."""
    goods = line(1, quantity=2)
    order_no = await busy.placed(goods)
    dollars = busy.capture(order_no, 2_000, "dollars").model_copy(update={"currency": "USD"})
    await busy.payments.take_stray(StrayCapture(capture=dollars, why=CaptureOutcome.WRONG_CURRENCY))
    if sent_back:
        await busy.payments.refund_answered(RefundAnswer(refund_no="Sdollars", state=RefundState.DONE))
    assert await busy.accept(order_no, busy.capture(order_no, 2_000)) is CaptureOutcome.ACCEPTED
    (sub,) = (await busy.book.record_split(busy.split_request(order_no, goods))).sub_orders
    await Refunds(busy).cancel(sub.sub_order_no, {1: 1})
    assert await mismatches(busy.engine) == []
