"""Shares add up, and so do the units of a line."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.apportion import apportion, slice_worth, unit_worth


@pytest.mark.parametrize(
    ("weights", "discount", "shares"),
    [
        ([4300, 1400, 2300], 299, [161, 52, 86]),
        ([1000, 1000, 1000], 299, [100, 100, 99]),
        ([891, 2109, 1], 3000, [891, 2108, 1]),
        ([10, 0], 40, [10, 0]),
    ],
)
def test_the_worked_shares(weights: list[int], discount: int, shares: list[int]) -> None:
    assert apportion(discount, weights) == shares


def test_what_is_cut_off_is_shared_in_proportion_among_those_with_room() -> None:
    # 100 each by weight; the first has room for 10, so 90 go to the others, 45 each.
    assert apportion(300, [500, 500, 500], [10, 500, 500]) == [10, 145, 145]


def test_what_fits_nowhere_is_not_given() -> None:
    assert apportion(300, [500, 500], [10, 20]) == [10, 20]


def test_ties_go_to_the_smaller_line() -> None:
    assert apportion(2, [1, 1, 1]) == [1, 1, 0]


@pytest.mark.parametrize("bad", [(-1, [1], None), (1, [-1], None), (1, [1], [-1]), (1, [1, 2], [1])])
def test_negative_amounts_are_refused(bad: tuple[int, list[int], list[int] | None]) -> None:
    with pytest.raises(ValueError, match="never negative"):
        apportion(*bad)


weighed = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=8)


@given(st.integers(0, 10**7), weighed)
def test_shares_add_up_to_the_amount_or_to_all_the_room(amount: int, lines: list[tuple[int, int]]) -> None:
    weights, rooms = [w for w, _ in lines], [r for _, r in lines]
    found = apportion(amount, weights, rooms)
    assert all(0 <= share <= room for share, room in zip(found, rooms, strict=True))
    assert sum(found) == min(amount, sum(room for weight, room in lines if weight))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.data())
def test_no_share_is_a_whole_fen_off_its_proportion(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    for weight, share in zip(weights, apportion(amount, weights), strict=True):
        assert abs(share * sum(weights) - amount * weight) < sum(weights)


def test_the_worked_units() -> None:
    assert [unit_worth(1000, 3, i) for i in (1, 2, 3)] == [333, 333, 334]


@given(st.integers(0, 10**9), st.integers(1, 50), st.data())
def test_adjoining_slices_add_up(total: int, n: int, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=5)))
    edges = [0, *cuts, n]
    parts = [slice_worth(total, n, a + 1, b) for a, b in pairwise(edges)]
    assert sum(parts) == total
    assert slice_worth(total, n, 1, n) == sum(unit_worth(total, n, i) for i in range(1, n + 1))


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 4), (3, 1)])
def test_units_a_line_does_not_have_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="not units"):
        slice_worth(100, 3, first, last)
