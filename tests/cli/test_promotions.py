"""Promotions, coupons and members on the command line, on a real database."""

import json
from pathlib import Path

import pytest

from cli.promotions_file import read_promotions
from domain.pricing.promotion import Level, PromotionKind
from tests.support.command_line import Typed, answer, bad, no

FILE = str(Path(__file__).parents[2] / "examples" / "promotions.json")
COUPON = "house-coupon-280-40"
SALE = {"promotion_id": "sale", "level": "SHOP", "kind": "AMOUNT_OFF", "off_fen": 500, "threshold_fen": 500}


def file_of(*rows: object) -> str:
    return json.dumps({"promotions": rows})


def test_the_example_has_a_promotion_of_each_level_and_kind() -> None:
    given = read_promotions(Path(FILE).read_bytes())
    assert {one.level for one in given} == set(Level)
    assert {one.kind for one in given} == set(PromotionKind)


def test_promotions_are_loaded_listed_shown_and_stopped(typed: Typed) -> None:
    first = answer(typed, "load-promotions", FILE)
    assert (len(first["loaded"]), first["known"]) == (7, 0)
    assert answer(typed, "load-promotions", FILE) == {"loaded": [], "known": 7}
    listed = answer(typed, "promotion", "list")["promotions"]
    assert sorted(known["promotion"]["promotion_id"] for known in listed) == first["loaded"]
    stopped = answer(typed, "promotion", "stop", "three-cups", "--author", "ann")
    assert stopped["stopped_by"] == "ann"
    assert answer(typed, "promotion", "show", "three-cups") == stopped
    assert "three-cups" not in typed("promotion", "list").out
    assert "three-cups" in typed("promotion", "list", "--all").out
    assert "by ann" in typed("promotion", "show", "three-cups").out


def test_coupons_are_issued_listed_and_have_a_history(typed: Typed) -> None:
    typed("load-promotions", FILE)
    issued = answer(typed, "coupon", "issue", COUPON, "7", "8", "--count", "2", "--expires-at", "30d")["coupons"]
    assert [coupon["buyer_id"] for coupon in issued] == [7, 7, 8, 8]
    held = answer(typed, "coupon", "list", "7")["coupons"]
    assert {(one["state"], one["promotion_id"]) for one in held} == {("AVAILABLE", COUPON)}
    code = issued[0]["coupon_id"]
    assert code in {one["coupon_id"] for one in held} and code in typed("coupon", "list", "7").out
    assert [entry["entry"] for entry in answer(typed, "coupon", "history", code)["entries"]] == ["ISSUED"]
    assert "ISSUED" in typed("coupon", "history", code).out


def test_a_member_has_the_tier_that_was_set(typed: Typed) -> None:
    assert answer(typed, "member", "set", "7", "--tier", "GOLD") == {"buyer_id": 7, "tier": "GOLD"}


def test_what_there_is_not_or_may_not_be_is_refused_with_the_remedy(typed: Typed) -> None:
    typed("load-promotions", FILE)
    assert no(typed, "promotion", "show", "nix").startswith("there is no promotion nix; ")
    assert no(typed, "promotion", "stop", "nix", "--author", "ann").startswith("there is no promotion nix; ")
    assert no(typed, "coupon", "history", "NIX") == "there is no coupon NIX"
    assert no(typed, "coupon", "issue", "nix", "7") == "there is no promotion nix: load it first"
    assert "it applies by itself" in no(typed, "coupon", "issue", "house-300-50", "7")
    assert typed("coupon", "list", "12345").out == "nothing here\n"


def test_other_content_under_a_loaded_id_is_refused_and_nothing_is_loaded(typed: Typed) -> None:
    """Each such row is named."""
    one, two, new = ({**SALE, "promotion_id": f"changed-{n}"} for n in range(3))
    assert typed("load-promotions", "-", stdin=file_of(one, two)).code == 0
    ran = typed("load-promotions", "-", stdin=file_of(new, {**one, "off_fen": 1}, {**two, "off_fen": 1}))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        f"error: stdin: promotions[{n}].promotion_id: 'changed-{n - 1}' was loaded before with other content; "
        "issue it under a new id"
        for n in (1, 2)
    ]
    assert no(typed, "promotion", "show", "changed-2").startswith("there is no promotion")


class TestBadInput:
    def test_every_bad_row_is_told_in_order_once(self, offline: Typed) -> None:
        """And nothing is loaded. A misspelled key is told, and the key that it leaves missing."""
        rows = file_of(
            {**SALE, "off_fen": 501},
            SALE,
            {**SALE, "promotion_id": "b", "off_fen": True},
            {"promotion_id": "c", "level": "SHOP", "kind": "PERCENT_OFF", "percent": 10},
            {**SALE, "promotion_id": "d", "off_fen": float("nan")},
            {**SALE, "promotion_id": "e", "kind": "HALF"},
        ).replace('"promotion_id": "e"', '"level": "ITEM", "promotion_id": "e"')
        ran = offline("load-promotions", "-", "--json", stdin=rows)
        assert (ran.code, ran.out) == (2, "")
        said = [line.removeprefix("error: stdin: promotions") for line in ran.err.splitlines()]
        assert [line.split(": ")[0] for line in said] == [
            *("[0].off_fen", "[2].off_fen", "[3].percent", "[3].percent_off", "[4].off_fen", "[5].kind", "[5].level"),
        ]
        assert said[0].endswith("501 off at 500 gives more than 100 %; write at most 500, or raise threshold_fen")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (file_of(SALE, SALE), "promotions[1].promotion_id: 'sale' is at promotions[0] already; keep one"),
            (file_of(), "promotions: has too few entries"),
            ("{}", "promotions: is missing; add it"),
            ("[]", "the document: must be an object"),
            ("{", "line 1 column 2: is not JSON"),
        ],
    )
    def test_a_file_that_is_none(self, offline: Typed, text: str, said: str) -> None:
        assert bad(offline, "load-promotions", "-", stdin=text).startswith(f"stdin: {said}")

    def test_a_file_that_there_is_not(self, offline: Typed) -> None:
        assert bad(offline, "load-promotions", "nix.json").startswith("nix.json: can't be read")

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            (["--expires-at", "2020-01-01T00:00:00Z"], "is over already; name a later time"),
            (["--expires-at", "soon"], "is no time; write 2026-12-31T00:00:00Z, or a span"),
            (["--count", "0"], "greater than or equal to 1"),
        ],
    )
    def test_options(self, offline: Typed, option: list[str], said: str) -> None:
        assert said in bad(offline, "coupon", "issue", COUPON, "7", *option)

    def test_a_tier_is_named(self, offline: Typed) -> None:
        assert bad(offline, "member", "set", "7", "--tier", "") == '--tier: must have 1 or more characters, not ""'
