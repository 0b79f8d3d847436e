"""Where a test and its helpers are found."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
NO_ROOMS = {"examples", "kill", "replay", "support"}  # what they test lies across the rooms


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{one.name}" for one in node.names)


def is_of_a_test_module(name: str) -> bool:
    package, *inside = name.split(".")
    return package == "tests" and any(part.startswith("test_") for part in inside)


def test_nothing_is_imported_from_a_test_module() -> None:
    """A helper that two of them need lies in tests/support, where nobody takes it for a test."""
    seen = {
        str(path.relative_to(ROOT)): [
            name for name in imported(ast.parse(path.read_text())) if is_of_a_test_module(name)
        ]
        for path in TESTS.rglob("*.py")
    }
    assert len(seen) > 150
    assert {path: names for path, names in seen.items() if names} == {}


def test_what_begins_first_is_there() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []


def folders(of: Path) -> set[str]:
    return {path.name for path in of.iterdir() if path.is_dir() and path.name != "__pycache__"}


@pytest.mark.parametrize("room", ["", "domain", "store"])
def test_the_tests_have_the_rooms_of_the_product(room: str) -> None:
    """Who knows where something is knows where its tests are."""
    assert folders(TESTS / room) - NO_ROOMS - folders(ROOT / room) == set()
