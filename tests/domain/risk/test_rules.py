"""Risk: each kind of abuse has a story that triggers it, and one that just does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.order.status import CloseReason
from domain.risk import (
    NOT_ACCEPTED,
    RULES,
    AssessFacts,
    Assessment,
    BadSetting,
    Block,
    BlockKind,
    Identity,
    LineFacts,
    PastOrder,
    ReceiptFacts,
    RiskKind,
    RiskSettings,
    RiskVerdict,
    ScreenFacts,
    UsualFacts,
    assess,
    screen,
)

NOW = datetime(2026, 11, 11, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULTS = RiskSettings()


def order(number: int = 0, *, ago: timedelta = timedelta(), **facts: Any) -> PastOrder:
    """An order like no other: everything about it is its own, unless it is said."""
    own: dict[str, Any] = {
        "order_no": f"order-{number}",
        "buyer_id": 1_000 + number,
        "device_id": f"device-{number}",
        "address_key": f"address-{number}",
        "phone_key": f"86138{number:04d}0000",
        "placed_at": NOW - ago,
        "first_of_buyer": False,
        "lines": [line()],
    }
    return PastOrder.model_validate(own | facts)


def line(sku: str = "TEA", quantity: int = 1, goods_fen: int = 3_000, **facts: Any) -> LineFacts:
    own: dict[str, Any] = {
        "sku": sku,
        "merchant": "leaf",
        "quantity": quantity,
        "goods_fen": goods_fen,
        "pay_fen": goods_fen,
    }
    return LineFacts.model_validate(own | facts)


def assessed(subject: PastOrder, *earlier: PastOrder, usual: UsualFacts | None = None) -> Assessment:
    return assess(AssessFacts(order=subject, earlier=list(earlier), usual=usual or UsualFacts()), DEFAULTS)


def kinds(said: Assessment) -> list[RiskKind]:
    return [reason.kind for reason in said.reasons]


def test_an_ordinary_order_passes() -> None:
    assert assessed(order()) == Assessment(verdict=RiskVerdict.PASS, score=0, reasons=[])


# --- BRUSHING


def praised(number: int, *, after: timedelta = 30 * HOUR, **facts: Any) -> PastOrder:
    """A cheap order of device D, a day or more ago, confirmed and reviewed `after` it was placed."""
    ago = 40 * HOUR + number * HOUR
    receipt = ReceiptFacts(merchant="leaf", received_at=NOW - ago + after, reviewed_at=NOW - ago + after)
    return order(number, ago=ago, receipts=[receipt], **({"device_id": "D"} | facts))


def test_brushing_one_device_buys_cheaply_from_one_merchant_and_praises_at_once() -> None:
    said = assessed(order(device_id="D", buyer_id=1), *(praised(n, buyer_id=n % 3) for n in range(1, 5)))
    assert [(reason.kind, reason.weight) for reason in said.reasons] == [(RiskKind.BRUSHING, 50)]
    assert said.verdict is RiskVerdict.REVIEW
    assert said.reasons[0].facts["quickly_praised"] == 4
    assert said.reasons[0].facts["orders"] == ["order-1", "order-2", "order-3", "order-4", "order-0"]


def test_not_brushing_four_orders_are_not_again_and_again() -> None:
    assert not kinds(assessed(order(device_id="D"), praised(1), praised(2), praised(3)))


def test_brushing_an_address_of_four_buyers_who_all_buy_from_one_merchant() -> None:
    """Nobody has praised yet, so it weighs less; but the address may be the merchant's own."""
    orders = [order(n, ago=n * HOUR, address_key="A", buyer_id=n % 3) for n in range(1, 5)]
    said = assessed(order(address_key="A"), *orders)
    assert [(reason.kind, reason.weight) for reason in said.reasons] == [(RiskKind.BRUSHING, 25)]


def test_brushing_both_signs_weigh_together() -> None:
    said = assessed(order(device_id="D"), *(praised(n) for n in range(1, 5)))
    assert [(reason.kind, reason.weight) for reason in said.reasons] == [(RiskKind.BRUSHING, 75)]


def test_not_brushing_a_household_that_drinks_much_tea() -> None:
    """Three buyers at one address, and reviews that take their time."""
    family = [praised(n, after=49 * HOUR, device_id=f"own-{n}", address_key="A", buyer_id=n % 2) for n in range(1, 8)]
    assert not kinds(assessed(order(address_key="A"), *family))


def test_not_brushing_when_the_orders_are_worth_something() -> None:
    dear = [praised(n, lines=[line(goods_fen=5_001)]) for n in range(1, 9)]
    assert not kinds(assessed(order(device_id="D"), *dear))


def test_not_brushing_over_more_than_a_week_or_closed_orders_or_another_merchant() -> None:
    old = [praised(n).model_copy(update={"placed_at": NOW - timedelta(days=7)}) for n in (1, 2)]
    closed = praised(3, closed_at=NOW - HOUR, close_reason=CloseReason.UNPAID)
    elsewhere = praised(4, lines=[line(merchant="other")])
    assert not kinds(assessed(order(device_id="D"), *old, closed, elsewhere, praised(5), praised(6)))


def test_what_came_after_the_placement_is_not_seen() -> None:
    """Reviews of later count for nothing: an old order is judged as it would have been then."""
    later = [praised(n, after=39 * HOUR + n * HOUR, buyer_id=7) for n in range(1, 5)]
    assert kinds(assessed(order(buyer_id=7), *later)) == [RiskKind.BRUSHING]
    just_before = order(buyer_id=7).model_copy(update={"placed_at": NOW - 2 * HOUR})
    assert not kinds(assessed(just_before, *later))


def test_an_order_that_was_closed_later_was_still_open_then() -> None:
    """It counts as bought, and not as let go."""
    later = {"closed_at": NOW + HOUR, "close_reason": CloseReason.CANCELLED_BY_BUYER, "address_key": "A"}
    kin = [order(n, ago=HOUR, lines=[CONSOLE], **later) for n in (1, 2)]
    assert kinds(assessed(order(address_key="A", lines=[CONSOLE]), *kin)) == [RiskKind.SCALPING]
    probed = [let_go(n).model_copy(update=later) for n in (1, 2, 3)]
    assert not kinds(assessed(order(buyer_id=7), *probed))


# --- PROMO_ABUSE


def first(number: int, **facts: Any) -> PastOrder:
    own: dict[str, Any] = {"lines": [line(merchant=f"m{number}")]}
    return order(number, ago=number * HOUR, first_of_buyer=True, **(own | facts))


def sharing(mark: str) -> dict[str, Any]:
    return {mark: "shared"}


@pytest.mark.parametrize("mark", ["device_id", "address_key"])
def test_promo_abuse_five_new_accounts_on_one_device_or_address(mark: str) -> None:
    subject = order(first_of_buyer=True, **sharing(mark))
    said = assessed(subject, *(first(n, **sharing(mark)) for n in range(1, 5)))
    assert kinds(said) == [RiskKind.PROMO_ABUSE]
    assert said.reasons[0].facts["accounts"] == 5


@pytest.mark.parametrize("mark", ["device_id", "address_key"])
def test_not_promo_abuse_four_new_accounts_on_one_device_or_address(mark: str) -> None:
    subject = order(first_of_buyer=True, **sharing(mark))
    assert not kinds(assessed(subject, *(first(n, **sharing(mark)) for n in range(1, 4))))


def test_not_promo_abuse_when_the_accounts_are_not_new() -> None:
    neighbours = [order(n, ago=n * HOUR, address_key="A", lines=[line(merchant=f"m{n}")]) for n in range(1, 9)]
    assert not kinds(assessed(order(first_of_buyer=True, address_key="A"), *neighbours))


def test_promo_abuse_eight_new_accounts_in_one_block_of_phone_numbers() -> None:
    block = [first(n, phone_key=f"86138001380{n:02d}") for n in range(1, 8)]
    subject = order(first_of_buyer=True, phone_key="8613800138099")
    assert kinds(assessed(subject, *block)) == [RiskKind.PROMO_ABUSE]
    assert not kinds(assessed(subject, *block[:-1]))


def test_promo_abuse_a_discount_far_above_the_usual() -> None:
    """Half of the price, where usually a tenth goes. It speaks, but does not hold an order by itself."""
    usual = UsualFacts(orders=100, buyer_hours=100, goods_fen=1_000_000, discount_fen=100_000)
    said = assessed(order(lines=[line(goods_fen=10_000, pay_fen=5_000)]), usual=usual)
    assert kinds(said) == [RiskKind.PROMO_ABUSE]
    assert said.verdict is RiskVerdict.PASS


@pytest.mark.parametrize(
    ("goods_fen", "pay_fen", "usual_off_fen"),
    [(10_000, 5_001, 100_000), (9_999, 0, 100_000), (10_000, 5_000, 250_000)],
    ids=["a fen under half", "cheap goods", "everybody gets a quarter off today"],
)
def test_not_promo_abuse_a_discount_like_others(goods_fen: int, pay_fen: int, usual_off_fen: int) -> None:
    usual = UsualFacts(orders=100, buyer_hours=100, goods_fen=1_000_000, discount_fen=usual_off_fen)
    assert not kinds(assessed(order(lines=[line(goods_fen=goods_fen, pay_fen=pay_fen)]), usual=usual))


def let_go(number: int, reason: CloseReason = CloseReason.CANCELLED_BY_BUYER, **facts: Any) -> PastOrder:
    ago = number * HOUR
    return order(number, ago=ago, buyer_id=7, closed_at=NOW - ago + HOUR / 2, close_reason=reason, **facts)


def test_promo_abuse_the_same_goods_ordered_and_let_go_three_times() -> None:
    said = assessed(order(buyer_id=7), let_go(1), let_go(2, CloseReason.UNPAID), let_go(3))
    assert kinds(said) == [RiskKind.PROMO_ABUSE]
    assert said.reasons[0].facts == {"orders": ["order-1", "order-2", "order-3"]}


@pytest.mark.parametrize(
    "third",
    [
        let_go(3, CloseReason.CANCELLED_BY_MERCHANT),
        let_go(24),
        let_go(3, lines=[line("CUP")]),
        order(3, ago=3 * HOUR, buyer_id=7),
    ],
    ids=["the merchant cancelled it", "a day ago", "other goods", "still open"],
)
def test_not_promo_abuse_twice_let_go(third: PastOrder) -> None:
    assert not kinds(assessed(order(buyer_id=7), let_go(1), let_go(2), third))


# --- SCALPING

CONSOLE = line("CONSOLE", quantity=1, goods_fen=300_000, limited=True)


@pytest.mark.parametrize("mark", ["device_id", "address_key", "phone_key"])
def test_scalping_three_buyers_of_one_place_take_three_where_two_are_allowed(mark: str) -> None:
    shared: dict[str, Any] = {mark: "8613800138000", "lines": [CONSOLE]}
    said = assessed(order(**shared), order(1, ago=HOUR, **shared), order(2, ago=HOUR, **shared))
    assert kinds(said) == [RiskKind.SCALPING]
    assert (said.reasons[0].facts["pieces"], said.reasons[0].facts["buyers"]) == (3, 3)


def test_not_scalping_just_at_the_limit() -> None:
    assert not kinds(assessed(order(address_key="A", lines=[CONSOLE]), order(1, address_key="A", lines=[CONSOLE])))


def test_not_scalping_when_the_third_order_was_closed_or_shares_nothing() -> None:
    closed = order(2, ago=HOUR, address_key="A", lines=[CONSOLE], closed_at=NOW, close_reason=CloseReason.UNPAID)
    stranger = order(3, ago=HOUR, lines=[CONSOLE])
    near = order(1, ago=HOUR, address_key="A", lines=[CONSOLE])
    assert not kinds(assessed(order(address_key="A", lines=[CONSOLE]), near, closed, stranger))


def test_not_scalping_of_goods_that_are_not_limited_or_have_a_higher_limit() -> None:
    unlimited = CONSOLE.model_copy(update={"limited": False})
    for sold, limits in ((unlimited, {}), (CONSOLE, {"CONSOLE": 3})):
        shared: dict[str, Any] = {"address_key": "A", "lines": [sold]}
        facts = AssessFacts(order=order(**shared), earlier=[order(n, ago=HOUR, **shared) for n in (1, 2)])
        assert not kinds(assess(facts, RiskSettings(sku_limits=limits)))


# --- VELOCITY


def rush(count: int, **facts: Any) -> list[PastOrder]:
    """So many orders of buyer 7 in the hour before, each at another shop."""
    return [
        order(n, ago=timedelta(minutes=n), buyer_id=7, **({"lines": [line(merchant=f"m{n}")]} | facts))
        for n in range(1, count + 1)
    ]


def test_velocity_ten_orders_within_an_hour() -> None:
    said = assessed(order(buyer_id=7), *rush(9))
    assert kinds(said) == [RiskKind.VELOCITY]
    assert said.reasons[0].facts["orders"] == 10


def test_not_velocity_nine_orders_within_an_hour() -> None:
    assert not kinds(assessed(order(buyer_id=7), *rush(8), order(60, ago=HOUR, buyer_id=7)))


def test_velocity_fifty_thousand_yuan_within_an_hour() -> None:
    dear = order(buyer_id=7, lines=[line(goods_fen=4_000_000)])
    before = order(1, ago=HOUR / 2, buyer_id=7, lines=[line(goods_fen=1_000_000)])
    assert kinds(assessed(dear, before)) == [RiskKind.VELOCITY]
    a_fen_less = before.model_copy(update={"lines": [line(goods_fen=999_999)]})
    assert not kinds(assessed(dear, a_fen_less))


def test_not_velocity_a_buyer_who_always_buys_like_that() -> None:
    """An office's buyer: two orders an hour are usual, and ten are no more than five times that."""
    usual_hours = [
        order(100 + n, ago=timedelta(days=1 + n // 2, minutes=n % 2), buyer_id=7, lines=[line(merchant=f"u{n}")])
        for n in range(10)
    ]
    assert not kinds(assessed(order(buyer_id=7), *rush(9), *usual_hours))
    assert kinds(assessed(order(buyer_id=7), *rush(10), *usual_hours)) == [RiskKind.VELOCITY]


def test_not_velocity_a_day_on_which_everybody_buys_like_that() -> None:
    """The night of 11/11: ten orders are five times the platform's usual two, and no more."""
    festival = UsualFacts(orders=1_000, buyer_hours=500, goods_fen=3_000_000)
    assert not kinds(assessed(order(buyer_id=7), *rush(9), usual=festival))
    assert kinds(assessed(order(buyer_id=7), *rush(10), usual=festival)) == [RiskKind.VELOCITY]


def test_too_few_orders_make_nothing_usual() -> None:
    quiet = UsualFacts(orders=99, buyer_hours=9, goods_fen=300_000)
    assert kinds(assessed(order(buyer_id=7), *rush(9), usual=quiet)) == [RiskKind.VELOCITY]


# --- the verdict


def test_two_reasons_add_up_to_a_rejection() -> None:
    limited: dict[str, Any] = {"lines": [CONSOLE], "address_key": "A"}
    said = assessed(
        order(buyer_id=7, **limited), *rush(9), order(90, ago=HOUR, **limited), order(91, ago=HOUR, **limited)
    )
    assert kinds(said) == [RiskKind.SCALPING, RiskKind.VELOCITY]
    assert said.verdict is RiskVerdict.REJECT
    assert said.score == sum(reason.weight for reason in said.reasons) == 100


@pytest.mark.parametrize(
    ("weight", "verdict"),
    [(39, RiskVerdict.PASS), (40, RiskVerdict.REVIEW), (80, RiskVerdict.REVIEW), (81, RiskVerdict.REJECT)],
)
def test_between_the_bounds_a_person_decides(weight: int, verdict: RiskVerdict) -> None:
    facts = AssessFacts(order=order(buyer_id=7), earlier=rush(9))
    assert assess(facts, RiskSettings(velocity_weight=weight)).verdict is verdict


def test_no_reason_tells_a_phone_a_device_or_an_address() -> None:
    """Reasons go into histories and alarms."""
    marks: dict[str, Any] = {"device_id": "DEVICE-MARK", "address_key": "ADDRESS-MARK", "phone_key": "8613800138000"}
    earlier = [
        *(
            first(n, **marks, lines=[CONSOLE.model_copy(update={"merchant": "toys"}), line(goods_fen=100)])
            for n in range(1, 9)
        ),
        *(let_go(n, **marks, lines=[CONSOLE]) for n in (1, 2, 3)),
        *rush(9, **marks),
    ]
    subject = order(
        buyer_id=7,
        first_of_buyer=True,
        **marks,
        lines=[CONSOLE.model_copy(update={"merchant": "toys", "pay_fen": 0}), line(goods_fen=100)],
    )
    said = assessed(subject, *earlier)
    assert set(kinds(said)) == set(RiskKind)
    assert not any(mark in said.model_dump_json() for mark in marks.values())


def test_every_rule_stands_in_the_list_once() -> None:
    assert len(RULES) == len(set(RULES)) == 6


# --- the screen

IDENTITY = Identity(buyer_id=7, device_id="D", address_key="a" * 32, phone_key="8613800138000", ip="203.0.113.9")


def facts(**said: Any) -> ScreenFacts:
    return ScreenFacts.model_validate({"identity": IDENTITY, "now": NOW} | said)


def blocked(kind: BlockKind, value: str, expires_at: datetime | None = None) -> list[Block]:
    return [Block(kind=kind, value=value, reason="chargebacks", author="ops-1", expires_at=expires_at)]


MARKS = [
    (BlockKind.BUYER, "7"),
    (BlockKind.DEVICE, "D"),
    (BlockKind.ADDRESS, "a" * 32),
    (BlockKind.PHONE, "8613800138000"),
    (BlockKind.IP_RANGE, "203.0.113.0/24"),
    (BlockKind.IP_RANGE, "203.0.113.9/32"),
]


@pytest.mark.parametrize(("kind", "value"), MARKS)
def test_whoever_is_blocked_is_refused_and_told_nothing(kind: BlockKind, value: str) -> None:
    said = screen(facts(blocks=blocked(kind, value)), DEFAULTS)
    assert (said.passed, said.code) == (False, NOT_ACCEPTED)
    assert said.reason == f"{kind} is blocked by ops-1: chargebacks"


@pytest.mark.parametrize(("kind", "value"), [(kind, value + "0") for kind, value in MARKS[:4]])
def test_somebody_elses_block_catches_nobody(kind: BlockKind, value: str) -> None:
    assert screen(facts(blocks=blocked(kind, value)), DEFAULTS).passed


def test_a_block_ends_at_its_expiry() -> None:
    a_second = timedelta(seconds=1)
    assert not screen(facts(blocks=blocked(BlockKind.BUYER, "7", NOW + a_second)), DEFAULTS).passed
    assert screen(facts(blocks=blocked(BlockKind.BUYER, "7", NOW)), DEFAULTS).passed


def test_a_device_of_eleven_buyers_is_refused_one_of_ten_is_not() -> None:
    assert screen(facts(device_buyers=10), DEFAULTS).passed
    said = screen(facts(device_buyers=11), DEFAULTS)
    assert (said.code, "11 buyers" in said.reason) == (NOT_ACCEPTED, True)


def test_a_buyer_with_twenty_unpaid_orders_gets_no_other() -> None:
    assert screen(facts(unpaid_orders=19), DEFAULTS).passed
    said = screen(facts(unpaid_orders=20), DEFAULTS)
    assert (said.code, "20 unpaid orders" in said.reason) == (NOT_ACCEPTED, True)


# --- the settings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"velocity_order": 3}, "there is no setting 'velocity_order'; there are: pass_below"),
        ({"velocity_orders": "many"}, "velocity_orders: Input should be a valid integer, not 'many'"),
        ({"velocity_orders": True}, "velocity_orders: Input should be a valid integer, not True"),
        ({"velocity_orders": 0}, "velocity_orders: Input should be greater than or equal to 1, not 0"),
        ({"brushing_days": 31}, "brushing_days: Input should be less than or equal to 30, not 31"),
        ({"sku_limits": {"A": 0}}, "sku_limits.A: Input should be greater than or equal to 1, not 0"),
        ({"pass_below": 81}, r"pass_below \(81\) is over reject_above \(80\)"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(changes: dict[str, object], says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        DEFAULTS.changed(changes)


def test_changing_one_setting_leaves_the_others() -> None:
    changed = DEFAULTS.changed({"velocity_orders": 3, "sku_limits": {"CONSOLE": 5}})
    assert (changed.velocity_orders, changed.sku_limits) == (3, {"CONSOLE": 5})
    assert changed.brushing_orders == DEFAULTS.brushing_orders
