"""A catalog file is read strictly: every bad row is told at once, with its place and what would be right."""

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cli.catalog_file import CatalogFile, MerchantRow, ProductRow, read_catalog
from domain.order.stock import StockPolicy
from domain.splitting.freight import FreightRates
from domain.splitting.model import Warehouse
from domain.strict_json import BadDocument

CATALOG = Path(__file__).parent.parent.parent / "examples/catalog.json"
TEA = {"sku": "TEA", "merchant": "leaf", "title": "Tea", "price_fen": 100, "home": "w1"}
CUP = {"sku": "CUP", "merchant": "kiln", "title": "Cup", "price_fen": 100}
EBOOK = {"sku": "EBOOK", "merchant": "leaf", "title": "Book", "price_fen": 1, "delivery_mode": "VIRTUAL"}
FREIGHT = {"first_g": 1_000, "first_fee_fen": 800, "further_g": 500, "further_fee_fen": 200}
LEAF = {"merchant": "leaf", "freight": [{**FREIGHT, "warehouse": "w1"}, FREIGHT]}
W1 = {"warehouse": "w1", "merchant": "leaf", "stock": {"TEA": 5}}


def catalog(**changed: Any) -> dict[str, Any]:
    return {"merchants": [LEAF], "warehouses": [W1], "products": [TEA, CUP, EBOOK], **changed}


def told(document: Any) -> list[str]:
    """What is wrong with it, each with its place."""
    with pytest.raises(BadDocument) as wrong:
        read_catalog(document if isinstance(document, str | bytes) else json.dumps(document))
    return [str(problem) for problem in wrong.value.problems]


def test_the_example_shows_all_there_is() -> None:
    """A presale, virtual and fragile goods, freight of two kinds, and a merchant that deducts on payment."""
    example = read_catalog(CATALOG.read_bytes())
    assert any(row.ships_from for row in example.products)
    assert {row.delivery_mode.value for row in example.products} == {"PHYSICAL", "VIRTUAL"}
    assert {"FRAGILE", "ORDINARY"} <= {row.handling for row in example.products}
    assert StockPolicy.DEDUCT_ON_PAYMENT in {row.stock_policy for row in example.merchants}
    assert {rates.warehouse is None for row in example.merchants for rates in row.freight} == {True, False}
    assert all(row.weight_g for row in example.products if row.delivery_mode.value == "PHYSICAL")


def test_a_file_as_it_should_be() -> None:
    read = read_catalog(json.dumps(catalog()))
    assert [row.sku for row in read.products] == ["TEA", "CUP", "EBOOK"]
    assert read.changes.policies == {"leaf": StockPolicy.RESERVE_ON_PLACEMENT}
    assert [rates.warehouse for rates in read.changes.freight["leaf"]] == ["w1", None]
    assert (read.products[0].listing.home, read.products[2].listing.home) == ("w1", None)


_ID = "must be letters, digits, and . _ - between them; mend the id"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sku": ""}, "sku: is empty; write something"),
        ({"sku": "A B"}, f"sku: {_ID}"),
        ({"sku": "茶"}, f"sku: {_ID}"),
        ({"title": "x" * 301}, "title: is too long; write at most 300 characters"),
        ({"title": 7}, "title: must be text; write it in quotes"),
        ({"title": "a\0b"}, "title: must not hold the character NUL; mend it"),
        ({"services": ["a\0b"]}, "services: must not hold the character NUL; mend it"),
        ({"price_fen": -1}, "price_fen: -1 is too small; write a number of at least 0"),
        ({"price_fen": 1.5}, "price_fen: must be a whole number; write it without quotes or fractions"),
        ({"price_fen": "100"}, "price_fen: must be a whole number; write it without quotes or fractions"),
        ({"price_fen": True}, "price_fen: must be a whole number; write it without quotes or fractions"),
        ({"price_fen": None}, "price_fen: must be a whole number; write it without quotes or fractions"),
        ({"price_fen": 10**13}, "price_fen: 10000000000000 is too large; write a number of at most 1000000000000"),
        ({"limited": 1}, "limited: must be true or false; write it without quotes"),
        ({"sellable": False}, "sellable: must be a whole number; write it without quotes or fractions"),
        ({"delivery_mode": "POST"}, "delivery_mode: is unknown; write 'PHYSICAL' or 'VIRTUAL'"),
        ({"ships_from": "soon"}, "ships_from: must be a date; write it like 2026-12-24"),
        ({"images": "a.jpg"}, "images: must be a list; write it in [ ]"),
        ({"attributes": {"a": 1}}, "attributes.a: must be text; write it in quotes"),
        ({"weight": 3}, "weight: is not a key here; remove it or mend its name"),
        ({"home": "w9"}, "home: 'w9' is no warehouse of 'leaf'; write one of w1"),
        ({"delivery_mode": "VIRTUAL"}, "home: virtual goods lie in no warehouse; leave it out"),
    ],
)
def test_a_product_that_can_not_be(changed: dict[str, Any], said: str) -> None:
    other = {**TEA, "sku": "OTHER", **changed}
    assert f"products[3].{said}" in told(catalog(products=[TEA, CUP, EBOOK, other]))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"products": []}, "products: has too few entries; write at least 1"),
        ({"products": [TEA, CUP, EBOOK, TEA]}, "products[3].sku: is at products[0] already; keep one of the two"),
        ({"products": [7]}, "products[0]: must be an object; write it in { }"),
        ({"goods": []}, "goods: is not a key here; remove it or mend its name"),
        ({"merchants": [LEAF, LEAF]}, "merchants[1].merchant: is at merchants[0] already; keep one of the two"),
        ({"merchants": [{"merchant": "x", "stock_policy": "NEVER"}]}, "merchants[0].stock_policy: is unknown; write "),
        (
            {"merchants": [{"merchant": "leaf", "freight": [{**FREIGHT, "first_g": 0}]}]},
            "merchants[0].freight[0].first_g: 0 is too small; write a number of at least 1",
        ),
        (
            {"merchants": [{"merchant": "leaf", "freight": [FREIGHT, FREIGHT]}]},
            "merchants[0].freight[1].warehouse: is at merchants[0].freight[0] already; keep one of the two",
        ),
        (
            {"merchants": [{"merchant": "leaf", "freight": [{**FREIGHT, "warehouse": "w9"}]}]},
            "merchants[0].freight[0].warehouse: 'w9' is no warehouse of 'leaf'; write one of w1",
        ),
        ({"warehouses": [W1, W1]}, "warehouses[1].warehouse: is at warehouses[0] already; keep one of the two"),
        (
            {"warehouses": [{**W1, "stock": {"TEA": -1}}]},
            "warehouses[0].stock.TEA: -1 is too small; write a number of at least 0",
        ),
        (
            {"warehouses": [{**W1, "stock": {"SALT": 1}}]},
            "warehouses[0].stock.SALT: is no product of this file; add it to products or mend the name",
        ),
        (
            {"warehouses": [{**W1, "stock": {"CUP": 1}}]},
            "warehouses[0].stock.CUP: is sold by 'kiln'; move it to a warehouse of that merchant",
        ),
        (
            {"warehouses": [{**W1, "stock": {"EBOOK": 1}}]},
            "warehouses[0].stock.EBOOK: is virtual and lies in no warehouse; take it out",
        ),
    ],
)
def test_rows_that_do_not_agree(changed: dict[str, Any], said: str) -> None:
    assert any(problem.startswith(said) for problem in told(catalog(**changed))), told(catalog(**changed))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1 column 2: is not JSON (Expecting property name enclosed in double quotes); mend it"),
        (b"\xff", "the document: is not UTF-8; save it as UTF-8"),
        ("[]", "the document: must be an object; write it in { }"),
        (
            '{"products": [{"sku": "A", "sku": "B"}]}',
            "products[0].sku: appears twice in one object; keep one of the two",
        ),
        ('{"products": [{"price_fen": NaN}]}', "products[0].price_fen: NaN is not a number; write a whole number"),
        (
            '{"products": [{"sellable": Infinity}]}',
            "products[0].sellable: Infinity is not a number; write a whole number",
        ),
    ],
)
def test_what_is_no_strict_json(text: str | bytes, said: str) -> None:
    assert said in told(text)


def test_every_bad_row_is_told_at_once_in_the_files_order() -> None:
    """Whatever is wrong with it, a row hides no other."""
    products = [{**TEA, "sku": f"SKU{n}", "price_fen": -n} for n in range(12)] + [TEA, CUP, {**CUP, "title": ""}]
    text = json.dumps(catalog(products=products, shop=1)).replace('"price_fen": -7', '"price_fen": NaN, "sku": "SKU7"')
    places = [problem.partition(":")[0] for problem in told(text)]
    assert places == [
        *(f"products[{n}].price_fen" for n in range(1, 7)),
        *("products[7].price_fen", "products[7].sku"),
        *(f"products[{n}].price_fen" for n in range(8, 12)),
        *("products[14].sku", "products[14].title", "shop"),
    ]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_keys = st.sampled_from(["sku", "merchant", "home", "warehouse", "stock", "freight", "delivery_mode", "title"])
_row = st.dictionaries(_keys, _json | st.sampled_from(["TEA", "leaf", "w1", "VIRTUAL"]), max_size=5)
_rows = _json | st.lists(_row | _json, max_size=3)


@given(st.dictionaries(st.sampled_from(["merchants", "warehouses", "products"]), _rows))
def test_whatever_it_holds_it_is_a_catalog_or_told_with_places(document: dict[str, Any]) -> None:
    try:
        assert isinstance(read_catalog(json.dumps(document)), CatalogFile)
    except BadDocument as wrong:
        assert wrong.problems and all(problem.place and ";" in problem.problem for problem in wrong.problems)


def test_every_field_of_the_file_is_told() -> None:
    page = (CATALOG.parent.parent / "docs/catalog.md").read_text()
    fields = {
        name for model in (CatalogFile, ProductRow, MerchantRow, FreightRates, Warehouse) for name in model.model_fields
    }
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []
