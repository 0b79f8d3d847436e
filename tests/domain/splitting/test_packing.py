"""Parcels are within the limits, and as few as they can be."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.splitting.packing import Parcel, TooManyParcels, pack
from tests.support.quote_oracle import fewest_parcels
from tests.support.quotes import Doc, ask, line, product


def parcel_doc(count: int, limit: Doc, **size: Any) -> Doc:
    return {"lines": [line(1, "A", count)], "catalog": [product("A", 1000, **size)], "parcel_limit": limit}


def flags(doc: Doc) -> list[list[str]]:
    return [sub_order.flags for sub_order in ask(doc).sub_orders]


def test_four_pieces_of_100_with_a_limit_of_150_make_four_parcels() -> None:
    assert flags(parcel_doc(4, {"weight_g": 150}, weight_g=100)) == [[], [], [], []]


def test_two_pieces_of_200_with_a_limit_of_150_make_two_each_flagged() -> None:
    assert flags(parcel_doc(2, {"weight_g": 150}, weight_g=200)) == [["OVERSIZE"], ["OVERSIZE"]]


@pytest.mark.parametrize(("limit", "parcels"), [(199, 2), (200, 1), (201, 1)])
@pytest.mark.parametrize("dimension", ["weight_g", "volume_cm3"])
def test_the_limit_is_kept_to_the_gram(dimension: str, limit: int, parcels: int) -> None:
    assert len(flags(parcel_doc(2, {dimension: limit}, **{dimension: 100}))) == parcels


@pytest.mark.parametrize(("value", "parcels"), [(1999, 2), (2000, 1)])
def test_the_declared_value_is_the_list_price_and_a_limit_too(value: int, parcels: int) -> None:
    promotions = [{"promotion_id": "p", "level": "SHOP", "kind": "PERCENT_OFF", "percent_off": 50}]
    doc = parcel_doc(2, {"value_fen": value})
    assert len(flags({**doc, "promotions": promotions})) == parcels


def test_without_limits_everything_is_one_parcel() -> None:
    assert pack([((), 5), ((), 7)], ()) == [Parcel({0: 5, 1: 7})]


def test_an_order_has_at_most_99_sub_orders() -> None:
    assert len(flags(parcel_doc(99, {"weight_g": 150}, weight_g=100))) == 99
    with pytest.raises(TooManyParcels):
        pack([((100,), 100)], (150,))
    with pytest.raises(TooManyParcels):
        pack([((200,), 1_000_000)], (150,))


def assert_packed(stacks: list[tuple[tuple[int, ...], int]], caps: tuple[int, ...], parcels: list[Parcel]) -> None:
    for i, (_, count) in enumerate(stacks):
        assert sum(parcel.pieces.get(i, 0) for parcel in parcels) == count
    for parcel in parcels:
        held = [sum(stacks[i][0][d] * n for i, n in parcel.pieces.items()) for d in range(len(caps))]
        within = all(total <= cap for total, cap in zip(held, caps, strict=True))
        assert parcel.oversize == (not within)
        assert within or sum(parcel.pieces.values()) == 1


sizes = st.integers(0, 60)
stacked = st.lists(st.tuples(st.tuples(sizes, sizes), st.integers(1, 4)), min_size=1, max_size=10)


@given(stacked, st.integers(20, 60), st.integers(20, 60))
def test_parcels_hold_every_piece_within_every_limit(
    stacks: list[tuple[tuple[int, int], int]], weight: int, volume: int
) -> None:
    assert_packed(list(stacks), (weight, volume), pack(stacks, (weight, volume)))


def test_first_fit_alone_would_need_a_third_parcel() -> None:
    assert len(pack([((4,), 2), ((3,), 4)], (10,))) == 2
    # Beyond twelve pieces first fit is all there is, and stays within its bound.
    assert len(pack([((4,), 6), ((3,), 12)], (10,))) == 7


few = st.lists(st.tuples(st.integers(5, 30), st.integers(0, 30)), min_size=4, max_size=9)


@given(few)
@settings(deadline=None)
def test_small_orders_have_as_few_parcels_as_the_exact_solver_finds(pieces: list[tuple[int, int]]) -> None:
    parcels = pack([(piece, 1) for piece in pieces], (50, 50))
    assert len(parcels) == fewest_parcels(pieces, (50, 50))


@given(st.lists(st.integers(10, 45), min_size=12, max_size=12))
@settings(deadline=None, max_examples=15)  # the solver goes through 3^12 subsets each time
def test_twelve_pieces_are_still_packed_exactly(pieces: list[int]) -> None:
    assert len(pack([((size,), 1) for size in pieces], (60,))) == fewest_parcels([(size,) for size in pieces], (60,))


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=6), min_size=4, max_size=10))
def test_beyond_twelve_pieces_first_fit_keeps_its_bound(bins: list[list[int]]) -> None:
    # The optimum is known: the pieces come from full parcels of 30, cut up.
    pieces = [size for sizes in bins for size in _cut_up(sizes)]
    parcels = pack([((size,), 1) for size in pieces], (30,))
    assert_packed([((size,), 1) for size in pieces], (30,), parcels)
    assert len(parcels) <= 11 / 9 * len(bins) + 1


def _cut_up(sizes: list[int]) -> list[int]:
    cut: list[int] = []
    for size in sizes:
        cut.append(min(size, 30 - sum(cut)))
    return [size for size in [*cut, 30 - sum(cut)] if size]
