"""The document's form: its example, its defaults, and one error that names the place and the remedy."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from domain.quote.answer import quote, read_quote_document
from domain.strict_json import BadInput
from tests.support.quotes import Doc, ask, line, product

DATA = Path(__file__).parent / "data"
EXAMPLE: Doc = json.loads((DATA / "example.json").read_text())


def test_the_example_has_exactly_its_answer() -> None:
    answer = quote(read_quote_document((DATA / "example.json").read_bytes()))
    assert json.loads(answer.model_dump_json()) == json.loads((DATA / "example-answer.json").read_text())


def test_the_defaults() -> None:
    document = read_quote_document(json.dumps({"lines": [line(1, "A")], "catalog": [product("A", 100)]}))
    assert (document.mode, document.split_timing, document.shipping_fen) == ("PARALLEL", "AFTER_PAYMENT", 0)
    assert document.at.isoformat() == "1970-01-01T00:00:00+00:00"
    answer = quote(document)
    assert [(s.warehouse, s.handling, s.ships_from, s.flags) for s in answer.sub_orders] == [
        ("m1", "ORDINARY", None, [])
    ]


def test_handling_classes_stand_alone_unless_grouped() -> None:
    doc = {
        "lines": [line(1, "A"), line(2, "B"), line(3, "C")],
        "catalog": [
            product("A", 1),
            product("B", 1, handling="FRAGILE"),
            product("C", 1, handling="VALUABLE"),
        ],
    }
    assert len(ask(doc).sub_orders) == 3
    grouped = ask({**doc, "handling_groups": [["ORDINARY", "FRAGILE"]]})
    assert [s.handling for s in grouped.sub_orders] == ["ORDINARY+FRAGILE", "VALUABLE"]


def test_virtual_goods_have_no_warehouse_no_parcel_limit_and_no_shipping() -> None:
    doc = {
        "lines": [line(1, "A", 9), line(2, "B")],
        "catalog": [product("A", 1, delivery_mode="VIRTUAL", weight_g=100), product("B", 1)],
        "parcel_limit": {"weight_g": 150},
        "shipping_fen": 7,
    }
    assert [(s.warehouse, s.shipping_fen) for s in ask(doc).sub_orders] == [(None, 0), ("m1", 7)]


def test_presale_goods_are_cut_by_their_date() -> None:
    catalog = [
        product("A", 1),
        product("B", 1, ships_from="2026-12-24"),
        product("C", 1, ships_from="2026-12-25"),
    ]
    answer = ask({"lines": [line(1, "A"), line(2, "B"), line(3, "C")], "catalog": catalog})
    assert [str(s.ships_from) for s in answer.sub_orders] == ["None", "2026-12-24", "2026-12-25"]


ABSENT = "(absent)"  # a word, since it is part of tests' names
BAD: list[tuple[str, Any, str]] = [
    ("lines/0/quantity", 0, "lines[0].quantity: 0 is too small; write a number of at least 1"),
    ("lines/0/quantity", -1, "lines[0].quantity: -1 is too small; write a number of at least 1"),
    ("lines/0/quantity", True, "lines[0].quantity: must be a whole number"),
    ("lines/0/quantity", 1.0, "lines[0].quantity: must be a whole number"),
    ("lines/0/quantity", "1", "lines[0].quantity: must be a whole number"),
    ("lines/0/quantity", float("nan"), "lines[0].quantity: NaN is not a number"),
    ("lines/0/quantity", ABSENT, "lines[0].quantity: is missing; add it"),
    ("lines/0/quantitty", 1, "lines[0].quantitty: is not a key here"),
    ("lines/0/sku", "Z", "lines[0].sku: 'Z' is not in the catalog"),
    ("lines", [], "lines: has too few entries"),
    ("lines", [line(i, "A") for i in range(1, 10_001)], "lines: has 10000 entries; write at most 1000"),
    ("lines/1/line_no", 1, "lines[1].line_no: line number 1 appears twice"),
    ("lines/0/quantity", 10**6, "lines: would be cut into more than 99 sub-orders"),
    ("lines/0/preferred_warehouse", "w9", "lines[0].preferred_warehouse: 'w9' is no warehouse of 'm1'"),
    ("catalog/1/sku", "A", "catalog[1].sku: SKU 'A' appears twice"),
    ("catalog/0/ships_from", "2026-13-01", "catalog[0].ships_from: must be a date"),
    ("catalog/0/price_fen", -1, "catalog[0].price_fen: -1 is too small"),
    ("promotions/1/promotion_id", "p1", "promotions[1].promotion_id: promotion 'p1' appears twice"),
    ("promotions/0/percent_off", 10, "promotions[0].percent_off: is not a key here"),
    ("promotions/0/threshold_pieces", 1, "promotions[0].threshold_pieces: is a second threshold"),
    ("promotions/0/kind", "HALF", "promotions[0].kind: is unknown; write one of ITEM_PRICE"),
    ("promotions/0/kind", ABSENT, "promotions[0].kind: is missing"),
    ("promotions/0/level", "SHOPS", "promotions[0].level: is unknown; write 'ITEM'"),
    ("promotions/0/funded_by", {"MERCHANT": 40, "PLATFORM": 61}, "promotions[0].funded_by: adds up to 101"),
    ("promotions/0/starts_at", "2026-11-11", "promotions[0].starts_at: must be a time in UTC"),
    ("coupons", ["c1", "c1"], "coupons[1]: coupon 'c1' appears twice"),
    ("coupons", ["c2"], "coupons[0]: 'c2' is not among the promotions"),
    ("coupons", ["p1"], "coupons[0]: 'p1' is of level SHOP, no coupon level"),
    ("at", "2026-11-11T00:00:00", "at: must be a time in UTC"),
    ("at", "2026-11-11T08:00:00+08:00", "at: must be a time in UTC"),
    ("at", 1_700_000_000, "at: must be a time in UTC"),
    (
        "refunds",
        [[{"line_no": 1, "quantity": 1}], [{"line_no": 1, "quantity": 1}]],
        "refunds[1][0].quantity: 1 is more",
    ),
    ("refunds", [[{"line_no": 7, "quantity": 1}]], "refunds[0][0].line_no: there is no line 7"),
    ("handling_groups", [["A"], ["B", "A"]], "handling_groups[1][1]: 'A' appears twice"),
    ("warehouses/0/stock/A", -1, "warehouses[0].stock.A: -1 is too small"),
    ("parcel_limit/weight_g", 0, "parcel_limit.weight_g: 0 is too small"),
    ("price", 1, "price: is not a key here"),
]


def changed(path: str, value: Any) -> Doc:
    doc = copy.deepcopy(EXAMPLE)
    *way, key = (int(part) if part.isdigit() else part for part in path.split("/"))
    inside: Any = doc
    for part in way:
        inside = inside[part]
    if value is ABSENT:
        del inside[key]
    else:
        inside[key] = value
    return doc


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_one_error_with_place_and_remedy(path: str, value: Any, message: str) -> None:
    with pytest.raises(BadInput) as error:
        ask(changed(path, value))
    said = str(error.value)
    assert said.startswith(message)
    assert "; " in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("promotion", "message"),
    [
        ({"kind": "AMOUNT_OFF", "off_fen": 1, "repeat": True}, "repeat: needs a threshold"),
        (
            {"kind": "AMOUNT_OFF", "off_fen": 501, "threshold_fen": 500},
            "off_fen: 501 off at 500 gives more than 100 %; write at most 500, or raise threshold_fen",
        ),
        (
            {"kind": "AMOUNT_OFF", "off_fen": 501, "threshold_fen": 500, "repeat": True, "max_off_fen": 501},
            "off_fen: 501 off at 500 gives more than 100 %",
        ),
        ({"kind": "PERCENT_OFF", "percent_off": 101}, "percent_off: 101 is too large"),
        ({"kind": "PERCENT_OFF", "percent_off": 0}, "percent_off: 0 is too small"),
        ({"kind": "ITEM_PRICE", "price_fen": 1}, "level: is SHOP, but an ITEM_PRICE applies at ITEM only"),
        ({"kind": "GIFT", "gift_sku": "Z"}, "gift_sku: 'Z' is not in the catalog"),
        ({"kind": "GIFT", "gift_sku": "A", "max_off_fen": 1}, "max_off_fen: is not a key here"),
        ({"kind": "BUNDLE_PRICE", "price_fen": 1}, "pieces: is missing"),
    ],
)
def test_a_promotion_has_the_keys_of_its_kind_and_makes_sense(promotion: Doc, message: str) -> None:
    doc = {**EXAMPLE, "promotions": [{"promotion_id": "p", "level": "SHOP", **promotion}], "coupons": []}
    with pytest.raises(BadInput) as error:
        ask(doc)
    assert str(error.value).startswith(f"promotions[0].{message}")


@pytest.mark.parametrize(
    ("promotion", "due"),
    [
        ({"off_fen": 500, "threshold_fen": 500}, 0),  # 100 %
        ({"off_fen": 250, "threshold_fen": 250, "repeat": True}, 0),
        ({"off_fen": 501}, 0),  # no threshold: the order stops at zero
        ({"off_fen": 501, "threshold_pieces": 1}, 0),
        ({"off_fen": 501, "threshold_fen": 500, "max_off_fen": 400}, 100),  # the cap makes it 80 %
    ],
)
def test_a_promotion_gives_100_percent_at_most(promotion: Doc, due: int) -> None:
    """At the edge, and where more than 100 % can't be told before there is a cart."""
    given = {"promotion_id": "p", "level": "SHOP", "kind": "AMOUNT_OFF", **promotion}
    assert ask({"lines": [line(1, "A")], "catalog": [product("A", 500)], "promotions": [given]}).amount_due_fen == due


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"lines": [], "lines": []}', "lines: appears twice"),
        (b'{"lines": [{"sku": "A", "sku": "B"}]}', "lines[0].sku: appears twice"),
        (b'{"shipping_fen": Infinity}', "shipping_fen: Infinity is not a number"),
        (
            b'{"shipping_fen": 1e400, "lines": [{"line_no": 1, "sku": "A", "quantity": 1}], "catalog": []}',
            "shipping_fen: must be",
        ),
        (b"{", "line 1 column 2: is not JSON"),
        (b"", "line 1 column 1: is not JSON"),
        (b"[]", "the document: must be an object"),
        (b"\xff{}", "the document: is not UTF-8"),
        (b"[" * 100_000, "the document: is nested too deeply"),
        (b'{"shipping_fen": ' + b"9" * 5000 + b"}", "the document: holds a number of thousands of digits"),
    ],
    ids=lambda value: value[:30].decode(errors="replace") if isinstance(value, bytes) else "",
)
def test_what_is_not_strict_json_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(BadInput) as error:
        read_quote_document(text)
    assert str(error.value).startswith(message)
