"""Payment, cancel, risk and deadline at once: who wins is written down, and here is all of it."""

from datetime import UTC, datetime
from itertools import product

import pytest

from domain.order.payment import Capture
from domain.order.precedence import WANTED, CaptureOutcome, PaymentStage, judge, weigh
from domain.order.status import CloseReason

BUYER, UNPAID, RISK = CloseReason.CANCELLED_BY_BUYER, CloseReason.UNPAID, CloseReason.RISK_REJECTED
CLOSING, PAID, WAITING = PaymentStage.CLOSING, PaymentStage.PAID, PaymentStage.WAITING
TRUTH = {
    # rejected, cancelled, paid, overdue
    (False, False, False, False): (WAITING, None),
    (False, False, False, True): (CLOSING, UNPAID),
    (False, False, True, False): (PAID, None),
    (False, False, True, True): (PAID, None),
    (False, True, False, False): (CLOSING, BUYER),
    (False, True, False, True): (CLOSING, BUYER),
    (False, True, True, False): (CLOSING, BUYER),
    (False, True, True, True): (CLOSING, BUYER),
    (True, False, False, False): (CLOSING, RISK),
    (True, False, False, True): (CLOSING, RISK),
    (True, False, True, False): (CLOSING, RISK),
    (True, False, True, True): (CLOSING, RISK),
    (True, True, False, False): (CLOSING, RISK),
    (True, True, False, True): (CLOSING, RISK),
    (True, True, True, False): (CLOSING, RISK),
    (True, True, True, True): (CLOSING, RISK),
}
DUE, CURRENCY = 1000, "CNY"


def capture(capture_id: str = "c1", amount_fen: int = DUE, currency: str = CURRENCY) -> Capture:
    at = datetime(2026, 11, 11, tzinfo=UTC)
    return Capture(capture_id=capture_id, payment_id="p", amount_fen=amount_fen, currency=currency, captured_at=at)


@pytest.mark.parametrize(("case", "winner"), TRUTH.items())
def test_the_whole_truth_table(case: tuple[bool, ...], winner: tuple[PaymentStage, CloseReason | None]) -> None:
    """Risk beats cancel beats payment beats deadline, in all sixteen cases."""
    rejected, cancelled, paid, overdue = case
    assert weigh(rejected=rejected, cancelled=BUYER if cancelled else None, paid=paid, overdue=overdue) == winner


def test_the_table_names_every_case() -> None:
    """Sixteen of them."""
    assert set(TRUTH) == set(product((False, True), repeat=4))


@pytest.mark.parametrize("reason", CloseReason)
def test_a_cancel_keeps_its_own_reason(reason: CloseReason) -> None:
    """Who cancelled is not lost in the race."""
    assert weigh(rejected=False, cancelled=reason, paid=True, overdue=True) == (CLOSING, reason)


ACCEPTED, DUPLICATE, TWICE = CaptureOutcome.ACCEPTED, CaptureOutcome.DUPLICATE, CaptureOutcome.PAID_TWICE
LATE = CaptureOutcome.TOO_LATE
MONEY, AMOUNT = CaptureOutcome.WRONG_CURRENCY, CaptureOutcome.WRONG_AMOUNT
JUDGED = {
    # accepted before, collecting, right currency, right amount
    ("none", True, True, True): ACCEPTED,
    ("none", True, True, False): AMOUNT,
    ("none", True, False, True): MONEY,
    ("none", True, False, False): MONEY,
    **{("none", False, *rest): LATE for rest in product((False, True), repeat=2)},
    **{("same", *rest): DUPLICATE for rest in product((False, True), repeat=3)},
    **{("other", *rest): TWICE for rest in product((False, True), repeat=3)},
}


@pytest.mark.parametrize(("case", "outcome"), JUDGED.items())
def test_money_that_arrives_has_one_outcome(case: tuple[str, bool, bool, bool], outcome: CaptureOutcome) -> None:
    """All of the twenty-four cases."""
    before, collecting, right_currency, right_amount = case
    accepted = {"none": None, "same": capture("c1"), "other": capture("c0")}[before]
    came = capture("c1", DUE if right_amount else DUE - 1, CURRENCY if right_currency else "USD")
    given = judge(came, due_fen=DUE, currency=CURRENCY, accepted=accepted, collecting=collecting)
    assert given is outcome


def test_the_judgements_name_every_case() -> None:
    """Twenty-four of them."""
    assert set(JUDGED) == set(product(("none", "same", "other"), *[(False, True)] * 3))


@pytest.mark.parametrize("amount_fen", [0, 1, DUE - 1, DUE + 1, 100 * DUE])
def test_only_exactly_what_is_due_is_taken(amount_fen: int) -> None:
    """A fen less or more goes back whole."""
    judged = judge(capture(amount_fen=amount_fen), due_fen=DUE, currency=CURRENCY, accepted=None, collecting=True)
    assert judged is AMOUNT


def test_all_outcomes_but_two_send_the_money_back() -> None:
    """A new outcome is unwanted unless somebody says otherwise."""
    assert {ACCEPTED, DUPLICATE} == WANTED
