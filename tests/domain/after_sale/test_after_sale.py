"""The table of a case's states: who may do what, where it leads, and that it always ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.after_sale.case import (
    ENDINGS,
    TABLE,
    AskAfterSale,
    CaseAction,
    CaseKind,
    CaseRefused,
    CaseStatus,
    Inspect,
    case_allows,
    clocks_action,
    due_at,
    mark_of,
    move,
)
from domain.after_sale.inspection import why_not_so
from domain.after_sale.request import MOST_CASES, Askable, why_not
from domain.order.cart import Terms
from domain.order.pieces import Pieces
from domain.order.status import Actor, AfterSaleFact, Status

NOW = datetime(2026, 11, 11, tzinfo=UTC)
WINDOW = timedelta(seconds=Terms().after_sale_window_s)


@given(st.sampled_from(CaseStatus), st.sampled_from(CaseAction), st.sampled_from(Actor), st.booleans())
def test_an_act_is_allowed_exactly_when_the_table_says_so_and_its_refusal_tells_what_is(
    status: CaseStatus, action: CaseAction, actor: Actor, goods_to_come: bool
) -> None:
    after = move(status, action, actor, goods_to_come=goods_to_come)
    allowed = case_allows(status, actor)
    if action in allowed:
        assert isinstance(after, CaseStatus)
        return
    assert isinstance(after, CaseRefused)
    assert (after.status, after.action, after.allowed) == (status, action, allowed)
    assert all(name in after.reason for name in allowed)


def test_every_state_but_an_ending_has_a_clock_that_may_do_what_it_does_or_is_being_refunded() -> None:
    for status in CaseStatus:
        action = clocks_action(status, Terms())
        due = due_at(status, NOW, Terms())
        assert (action is None) == (due is None) == (status in (*ENDINGS, CaseStatus.REFUNDING))
        if action is not None:
            assert Actor.CLOCK in TABLE[status][action].by


@pytest.mark.parametrize("overrules", [True, False])
@pytest.mark.parametrize("goods_to_come", [True, False])
def test_by_the_clock_alone_every_case_comes_to_an_ending(overrules: bool, goods_to_come: bool) -> None:
    terms = Terms(after_sale_undecided_overrules=overrules)
    for status in CaseStatus:
        steps = 0
        while status not in ENDINGS:
            action = clocks_action(status, terms)
            actor = Actor.CLOCK if action else Actor.PLATFORM
            after = move(status, action or CaseAction.PAY_BACK, actor, goods_to_come=goods_to_come)
            assert isinstance(after, CaseStatus)
            status, steps = after, steps + 1
            assert steps < 5


def test_goods_that_are_to_come_are_never_refunded_before_they_are_on_their_way() -> None:
    ways = {
        (status, action)
        for status in CaseStatus
        for action, one in TABLE[status].items()
        if move(status, action, one.by[0], goods_to_come=True) is CaseStatus.REFUNDING
    }
    assert ways == {(CaseStatus.RETURNING, CaseAction.INSPECT)}


def test_the_mark_is_open_while_one_case_is() -> None:
    assert mark_of([]) is AfterSaleFact.NONE
    assert mark_of([CaseStatus.REFUNDED, CaseStatus.REQUESTED]) is AfterSaleFact.OPEN
    assert mark_of(ENDINGS) is AfterSaleFact.SETTLED


def askable(**changed: object) -> Askable:
    found: dict[str, object] = {
        "status": Status.COMPLETED,
        "virtual": False,
        "received_at": NOW,
        "window_s": Terms().after_sale_window_s,
        "left": {1: 2},
        "gifts": [2],
        "cases": 0,
    }
    return Askable(**(found | changed))  # type: ignore[arg-type]


def ask(line_no: int = 1, quantity: int = 1, kind: CaseKind = CaseKind.RETURN_AND_REFUND) -> AskAfterSale:
    return AskAfterSale(kind=kind, lines=[Pieces(line_no=line_no, quantity=quantity)], reason="cracked")


@pytest.mark.parametrize(
    ("asked", "of", "at", "said"),
    [
        (ask(quantity=2), askable(), NOW + WINDOW, ""),
        (ask(), askable(), NOW + WINDOW + timedelta(microseconds=1), "the window for after-sale ended"),
        (ask(), askable(status=Status.SHIPPED, received_at=None), NOW + 9 * WINDOW, ""),
        (ask(), askable(status=Status.AWAITING_SHIPMENT), NOW, "before that, cancel it"),
        (ask(), askable(status=Status.CLOSED), NOW, "its status is CLOSED"),
        (ask(), askable(virtual=True), NOW, "can't be sent back"),
        (ask(kind=CaseKind.REFUND_ONLY), askable(virtual=True), NOW, ""),
        (ask(quantity=3), askable(), NOW, "of which 2 have not gone back"),
        (ask(line_no=2), askable(), NOW, "is a gift"),
        (ask(line_no=3), askable(), NOW, "is not in this sub-order"),
        (ask(), askable(cases=MOST_CASES), NOW, "no more are taken"),
    ],
)
def test_what_may_be_asked_for(asked: AskAfterSale, of: Askable, at: datetime, said: str) -> None:
    refused = why_not(asked, of, at)
    assert (refused is None) == (said == "")
    assert refused is None or said in refused.reason


pieces = st.lists(st.builds(Pieces, line_no=st.integers(1, 3), quantity=st.integers(1, 4)), max_size=3)


@given(pieces, pieces, st.lists(st.integers(1, 4), max_size=2))
def test_no_inspection_finds_more_than_the_case_is_about_or_sells_more_than_came(
    accepted: list[Pieces], sellable: list[Pieces], gifts_back: list[int]
) -> None:
    asked, gifts = {1: 2, 2: 3}, [3]
    if len({one.line_no for one in accepted}) < len(accepted) or not accepted:
        return
    found = Inspect(accepted=accepted, sellable=sellable, gifts_back=gifts_back)
    lines = [Pieces(line_no=line_no, quantity=quantity) for line_no, quantity in asked.items()]
    if why_not_so(found, lines, gifts, CaseStatus.RETURNING, Actor.MERCHANT) is not None:
        return
    came = {one.line_no: one.quantity for one in accepted}
    assert all(quantity <= asked.get(line_no, 0) for line_no, quantity in came.items())
    assert set(gifts_back) <= set(gifts)
    for one in sellable:
        assert one.line_no in gifts_back or one.quantity <= came.get(one.line_no, 0)
