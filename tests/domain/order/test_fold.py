"""An order's status is folded from its sub-orders', and is never set by hand (RULES.md §6)."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from domain.order.status import TABLE, Facts, FulfilmentFact, PaymentFact, ReviewFact, Status, fold, status_of

AWAITING, STUCK, SHIPPED = Status.AWAITING_SHIPMENT, Status.EXCEPTION, Status.SHIPPED
COMPLETED, REVIEWED, CLOSED = Status.COMPLETED, Status.REVIEWED, Status.CLOSED
PARTLY = Status.PARTIALLY_SHIPPED

# What a paid sub-order can be.
OF_SUB_ORDERS = (AWAITING, STUCK, SHIPPED, COMPLETED, REVIEWED, CLOSED)
HOW_FAR = {AWAITING: 0, STUCK: 0, SHIPPED: 1, COMPLETED: 2, REVIEWED: 3}
statuses = st.lists(st.sampled_from(OF_SUB_ORDERS), max_size=12)


@pytest.mark.parametrize(
    ("sub_orders", "status"),
    [
        ([AWAITING], AWAITING),
        ([AWAITING, AWAITING], AWAITING),
        ([AWAITING, SHIPPED], PARTLY),
        ([AWAITING, COMPLETED], PARTLY),
        ([AWAITING, REVIEWED], PARTLY),
        ([SHIPPED, SHIPPED], SHIPPED),
        ([SHIPPED, COMPLETED], SHIPPED),
        ([SHIPPED, REVIEWED], SHIPPED),
        ([COMPLETED, COMPLETED], COMPLETED),
        ([COMPLETED, REVIEWED], COMPLETED),
        ([REVIEWED, REVIEWED], REVIEWED),
        ([CLOSED, SHIPPED], SHIPPED),
        ([CLOSED, COMPLETED], COMPLETED),
        ([CLOSED, AWAITING], AWAITING),
        ([CLOSED, AWAITING, SHIPPED], PARTLY),
        ([CLOSED, CLOSED], CLOSED),
        ([STUCK], AWAITING),
        ([STUCK, AWAITING], AWAITING),
        ([STUCK, SHIPPED], PARTLY),
        ([STUCK, CLOSED], AWAITING),
    ],
)
def test_the_order_shows_what_its_sub_orders_make_of_it(sub_orders: list[Status], status: Status) -> None:
    """Each rule with its example."""
    assert fold(sub_orders).status is status


@pytest.mark.parametrize("others", [[], [AWAITING], [SHIPPED], [COMPLETED], [CLOSED]])
def test_a_sub_order_in_exception_marks_the_order_without_hiding_the_rest(others: list[Status]) -> None:
    """The status is what it would be with that sub-order waiting."""
    assert fold([STUCK, *others]).needs_attention
    assert fold([STUCK, *others]).status is fold([AWAITING, *others]).status


@given(statuses)
def test_the_mark_is_there_exactly_while_a_sub_order_is_in_exception(sub_orders: list[Status]) -> None:
    """And EXCEPTION never is the order's own status."""
    folded = fold(sub_orders)
    assert folded.needs_attention == (STUCK in sub_orders)
    assert folded.status is not STUCK


@given(statuses.flatmap(lambda every: st.tuples(st.just(every), st.permutations(every))))
def test_the_order_of_the_sub_orders_never_matters(two: tuple[list[Status], list[Status]]) -> None:
    """Whichever sub-order comes first."""
    assert fold(two[0]) == fold(two[1])


@given(statuses, st.integers(0, 12))
def test_a_closed_sub_order_is_left_out(sub_orders: list[Status], position: int) -> None:
    """As if it had never been there."""
    assert fold([*sub_orders[:position], CLOSED, *sub_orders[position:]]) == fold(sub_orders)


@given(statuses)
def test_the_order_is_closed_exactly_when_all_are(sub_orders: list[Status]) -> None:
    """One that lives keeps it open."""
    assert (fold(sub_orders).status is CLOSED) == all(status is CLOSED for status in sub_orders)


@given(statuses)
def test_the_order_is_as_far_as_the_last_of_its_live_sub_orders_or_partly_shipped(sub_orders: list[Status]) -> None:
    """The rules once more, said in another way: by the least and the most that was reached."""
    far = [HOW_FAR[status] for status in sub_orders if status is not CLOSED]
    if not far:
        return
    if min(far) == 0 < max(far):
        assert fold(sub_orders).status is PARTLY
    else:
        assert fold(sub_orders).status is (AWAITING, SHIPPED, COMPLETED, REVIEWED)[min(far)]


@given(statuses)
def test_what_was_shipped_of_one_order_can_be_folded_from_an_iterator_too(sub_orders: list[Status]) -> None:
    """It reads its input once."""
    assert fold(iter(sub_orders)) == fold(sub_orders)


def test_partially_shipped_is_only_ever_an_orders_status() -> None:
    """No facts of a single (sub-)order make it, and it allows nothing of its own."""
    every = (
        Facts(payment=payment, fulfilment=fulfilment, review=review)
        for payment in PaymentFact
        for fulfilment in FulfilmentFact
        for review in ReviewFact
    )
    assert PARTLY not in {status_of(facts) for facts in every}
    assert TABLE[PARTLY] == {}
    assert set(TABLE) == set(Status)
