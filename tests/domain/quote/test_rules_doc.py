"""The examples of docs/rules.md are true."""

import json
import re
from pathlib import Path
from typing import Any

from domain.apportion import apportion, unit_worth
from tests.support.quotes import Doc, ask

TEXT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```json (.*?)\n(.*?)^```", TEXT, re.S | re.M)


def assert_holds(expected: Any, found: Any, place: str = "answer") -> None:
    """What the document shows is there; it may leave keys out, but no entry of a list."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_holds(value, found[key], f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for i, (value, other) in enumerate(zip(expected, found, strict=True)):
            assert_holds(value, other, f"{place}[{i}]")
    else:
        assert found == expected, place


def test_every_document_has_the_answer_that_stands_below_it() -> None:
    document: Doc = {}
    answers = 0
    for kind, text in BLOCKS:
        if kind == "document":
            document = json.loads(text)
            continue
        changes = {} if kind == "answer" else json.loads(kind.removeprefix("same-but "))
        assert_holds(json.loads(text), json.loads(ask({**document, **changes}).model_dump_json()))
        answers += 1
    assert answers >= 7


def rows(header: str) -> list[list[list[int]]]:
    table = TEXT.split(f"| {header} |\n")[1].split("\n\n")[0].splitlines()[1:]
    return [[[int(n) for n in cell.split(",")] for cell in row.strip("|").split("|")] for row in table]


def test_the_table_of_shares() -> None:
    table = rows("weights | discount | shares")
    assert len(table) == 5
    for weights, (discount,), shares in table:
        assert apportion(discount, weights) == shares


def test_the_table_of_units() -> None:
    table = rows("total | pieces | units")
    assert len(table) == 2
    for (total,), (n,), units in table:
        assert [unit_worth(total, n, i) for i in range(1, n + 1)] == units
