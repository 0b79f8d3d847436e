"""What the pages say in tables, trees and backticks is compared with the code, cell by cell."""

import ast
import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

import pytest

from tests.support.activity_names import activity_names
from tests.support.pages import PAGES
from tests.support.servers import ROOT

ROOMS = ("domain", "workflows", "activities", "store", "providers", "acts", "gateway", "cli", "runtime")
FOLDERS = (*ROOMS, "simulation", "tests", "docs", "examples")
HISTORIES = ROOT / "tests/replay/histories"
COLUMNS = ["Activity", "What it does", "Kind", "Idempotency key", "What undoes it"]


def cells(row: str) -> list[str]:
    """A bar that is escaped separates nothing."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def tables(page: Path) -> Iterator[list[str]]:
    """The rows of each table, as they are written."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for is_row, lines in groupby(prose.splitlines(), key=lambda line: line.startswith("|")):
        if is_row:
            yield list(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_row_has_as_many_cells_as_its_header(page: Path) -> None:
    for header, line, *rows in tables(page):
        assert re.fullmatch(r"\|( ?:?-+:? ?\|)+", line), f"no header before: {line}"
        for row in (header, line, *rows):
            assert row.rstrip().endswith("|") and len(cells(row)) == len(cells(header)), row


# --- the activities


def told_activities() -> list[list[str]]:
    found = [rows for rows in tables(ROOT / "docs/activities.md") if cells(rows[0])[0] == "Activity"]
    assert all(cells(rows[0]) == COLUMNS for rows in found)
    return [cells(row) for rows in found for row in rows[2:]]


def kinds_in_histories() -> dict[str, set[tuple[str, str]]]:
    """How each story has called each activity: a local one leaves a marker, a regular one is scheduled."""
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in HISTORIES.glob("*/*.json"):
        for event in json.loads(path.read_text())["events"]:
            if scheduled := event.get("activityTaskScheduledEventAttributes"):
                seen[scheduled["activityType"]["name"]].add((path.parent.name, "regular"))
            elif marker := event.get("markerRecordedEventAttributes"):
                told = base64.b64decode(marker["details"]["data"]["payloads"][0]["data"])
                seen[json.loads(told)["activity_type"]].add((path.parent.name, "local"))
    return seen


def test_every_activity_is_told_once() -> None:
    told = [row[0].strip("`") for row in told_activities()]
    assert len(told) > 40
    assert sorted(told) == sorted(activity_names())


def test_every_activity_is_local_or_regular_as_the_stories_call_it() -> None:
    """The audit calls all of its steps as regular ones, so it is asked only about those that are nobody else's."""
    seen = kinds_in_histories()
    for name, _, told, *_ in told_activities():
        calls = seen[name.strip("`")]
        kinds = {kind for story, kind in calls if story != "stock_audit"} or {kind for _, kind in calls}
        assert {told.split(" ")[0]} == kinds, name


def test_every_activity_that_is_said_to_undo_another_is_one() -> None:
    """A name in the last column that is no activity would be an undo that nobody can find."""
    named = {name for row in told_activities() for name in re.findall(r"`([a-z_]+)`", row[-1])}
    assert len(named) > 8
    assert named <= set(activity_names())


# --- the errors


def exceptions_in_code() -> set[tuple[str, str]]:
    """Each exception of the product, with the folder that defines it."""
    return {
        (node.name, str(path.parent.relative_to(ROOT)))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "sandbox" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Exception", "Error")) for base in node.bases)
    }


def test_the_tree_of_the_errors_has_all_of_them() -> None:
    page = (ROOT / "docs/errors.md").read_text()
    told = re.findall(r"[├└]── (\w+) +([a-z_/]+) {2,}\S", page)
    assert len(told) == len(set(told)) > 25
    assert set(told) == exceptions_in_code()


# --- names in backticks


def names(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\s]+)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)))


def is_there(name: str, page: Path) -> bool:
    """A path from the project's folder or from the page's; a pattern that finds something; or a file's bare name."""
    if "/" not in name:
        return any(ROOT.glob(name)) or any(path for folder in FOLDERS for path in (ROOT / folder).rglob(name))
    return any(ROOT.glob(name.rstrip("/"))) or (page.parent / name).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_named_exists(page: Path) -> None:
    paths = {
        name
        for name in names(page)
        if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})/[\w./*-]*", name) or re.fullmatch(r"[\w-]+\.(?:py|md)", name)
    }
    assert [name for name in sorted(paths) if not is_there(name, page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_is_named_in_dots_exists(page: Path) -> None:
    """`activities.payment.PaymentProvider`: a module of one of the rooms, and perhaps what is in it."""
    for name in sorted(names(page)):
        if re.fullmatch(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+(?<!\.log)", name):
            module, _, last = name.rpartition(".")
            assert hasattr(import_module(module), last) or import_module(name), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_is_named_exists(page: Path) -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for name in names(page) if re.fullmatch(r"test_\w+", name)}
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
