"""Order numbers: readable, unguessable, and no slip of the keyboard makes another one."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order.order_number import (
    ATTEMPTS,
    ATTEMPTS_PER_LAYOUT,
    EPOCH,
    BadOrderNo,
    OrderNo,
    OutOfNumbers,
    candidate,
    parse,
    sub_order_no,
)

SECRET = b"a secret of the tests, 32 bytes."
DAY = date(2026, 11, 11)


def number(key: str = "key-1", buyer_id: int = 70_001_042, attempt: int = 0, day: date = DAY) -> str:
    return candidate(SECRET, "web", key, buyer_id, day, 3, attempt)


numbers = st.builds(
    number,
    key=st.text(max_size=40),
    buyer_id=st.integers(1, 2**53),
    attempt=st.integers(0, ATTEMPTS - 1),
    day=st.dates(EPOCH, date(2047, 5, 18)),
)
either = st.one_of(numbers, st.builds(sub_order_no, numbers, st.integers(1, 99)))


def test_worked_number() -> None:
    """The layout is fixed for ever: this number is this number, in every version."""
    assert number() == "1250639383195001042"
    assert sub_order_no("1250639383195001042", 2) == "125063938319029001042"
    assert parse("125063938319029001042") == OrderNo(
        order_no="1250639383195001042", sub=2, day=DAY, channel=3, gene=1_042, layout=1
    )


@given(numbers)
def test_every_number_has_19_digits_and_fits_a_bigint(order_no: str) -> None:
    assert len(order_no) == 19
    assert order_no.isascii() and order_no.isdecimal()
    assert 10**18 <= int(order_no) < 2**63


@given(st.integers(1, 2**53), st.dates(EPOCH, date(2047, 5, 18)), st.integers(0, 9), st.integers(0, ATTEMPTS - 1))
def test_a_number_tells_day_channel_and_gene(buyer_id: int, day: date, channel: int, attempt: int) -> None:
    told = parse(candidate(SECRET, "web", "k", buyer_id, day, channel, attempt))
    assert (told.day, told.channel, told.gene) == (day, channel, buyer_id % 1_000_000)
    assert told.layout == 1 + attempt // ATTEMPTS_PER_LAYOUT
    assert told.sub is None


@given(numbers, st.integers(1, 99))
def test_a_sub_orders_number_gives_its_order_and_keeps_the_gene(order_no: str, index: int) -> None:
    part = sub_order_no(order_no, index)
    assert len(part) == 21
    assert part[-6:] == order_no[-6:]
    assert parse(part) == parse(order_no).model_copy(update={"sub": index})


@settings(max_examples=50)
@given(either)
def test_every_single_wrong_digit_is_caught(text: str) -> None:
    for at, right in enumerate(text):
        for wrong in "0123456789".replace(right, ""):
            assert is_bad(text[:at] + wrong + text[at + 1 :]), (text, at, wrong)


@settings(max_examples=50)
@given(either)
def test_every_swap_of_neighbours_is_caught(text: str) -> None:
    """Also of the check digit with the digit before it and the one behind it."""
    for at in range(len(text) - 1):
        a, b = text[at], text[at + 1]
        if a != b:
            assert is_bad(text[:at] + b + a + text[at + 2 :]), (text, at)


def test_exactly_one_check_digit_is_right() -> None:
    order_no = number()
    assert [k for k in "0123456789" if not is_bad(order_no[:12] + k + order_no[13:])] == [order_no[12]]


def test_a_crashed_minting_finds_its_number_again() -> None:
    assert number() == number()


def test_another_caller_key_attempt_or_secret_gives_another_number() -> None:
    others = [
        number(key="key-2"),
        number(attempt=1),
        candidate(SECRET, "app", "key-1", 70_001_042, DAY, 3, 0),
        candidate(SECRET[::-1], "web", "key-1", 70_001_042, DAY, 3, 0),
    ]
    assert len({number(), *others}) == 5


def test_caller_and_key_do_not_run_together() -> None:
    assert candidate(SECRET, "web", "1-k", 7, DAY, 3, 0) != candidate(SECRET, "web1", "-k", 7, DAY, 3, 0)


def test_successive_orders_do_not_count() -> None:
    """The middles of 1,000 successive keys are spread: rising as often as falling, in every tenth of the range."""
    middles = [int(number(key=f"key-{n}")[6:12]) for n in range(1_000)]
    rising = sum(a < b for a, b in pairwise(middles))
    assert 400 < rising < 600
    assert all(60 < sum(m // 100_000 == tenth for m in middles) < 140 for tenth in range(10))


def test_no_whole_buyer_id_can_be_read_off() -> None:
    """Buyers who share the last six digits get the same number from the same key: nothing else of the id is in it."""
    assert number(buyer_id=70_001_042) == number(buyer_id=99_000_001_042)


def test_clashes_move_the_layout_on_and_end_in_a_clear_error() -> None:
    layouts = [number(attempt=attempt)[0] for attempt in range(ATTEMPTS)]
    assert layouts == [digit for digit in "12345678" for _ in range(ATTEMPTS_PER_LAYOUT)]
    with pytest.raises(OutOfNumbers, match="mint on another channel"):
        number(attempt=ATTEMPTS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has 0 digits; an order's number has 19"),
        ("125063938319500104", "has 18 digits"),
        ("12506393831950010420", "has 20 digits"),
        ("1250639383195001042\n", "write the digits only"),
        (" 1250639383195001042", "write the digits only"),
        ("125001250639383195001042", "has 24 digits"),
        ("-250639383195001042", "write the digits only"),
        ("１250639383195001042", "write the digits only"),
        ("0250639383195001042", "its layout, is 1 to 8"),
        ("9250639383195001042", "its layout, is 1 to 8"),
        ("125063938319005001042", "sub-orders are numbered 01 to 99"),
        ("125063938319X001042", "write the digits only"),
    ],
)
def test_a_bad_number_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(BadOrderNo, match=says):
        parse(text)


def test_a_wrong_check_digit_is_named_with_the_right_one() -> None:
    with pytest.raises(BadOrderNo, match=r"check digit \(the 13th\) is 6, and would be 5"):
        parse("1250639383196001042")


@pytest.mark.parametrize("index", [0, 100, -1])
def test_an_order_has_sub_orders_1_to_99(index: int) -> None:
    with pytest.raises(ValueError, match="sub-orders 1 to 99"):
        sub_order_no(number(), index)


def test_a_sub_order_has_no_sub_orders() -> None:
    with pytest.raises(BadOrderNo, match="is a sub-order's number already"):
        sub_order_no(sub_order_no(number(), 1), 1)


@pytest.mark.parametrize(
    ("day", "channel", "attempt", "secret", "says"),
    [
        (date(2019, 12, 31), 3, 0, SECRET, "days run from 2020-01-01 to 2047-05-18"),
        (date(2047, 5, 19), 3, 0, SECRET, "days run from 2020-01-01 to 2047-05-18"),
        (DAY, 10, 0, SECRET, "give 0 to 9"),
        (DAY, 3, -1, SECRET, "the first is 0"),
        (DAY, 3, 0, b"short", "give at least 16"),
    ],
)
def test_what_has_no_place_in_a_number_is_refused(
    day: date, channel: int, attempt: int, secret: bytes, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        candidate(secret, "web", "k", 7, day, channel, attempt)


def is_bad(text: str) -> bool:
    try:
        parse(text)
    except BadOrderNo:
        return True
    return False
