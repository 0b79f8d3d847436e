"""The documentation stays true where that is cheap to check."""

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
from pydantic import SecretStr
from typer.main import get_command

from activities.notifications import NotificationReader
from activities.payment import PaymentProvider
from acts.front import Front
from cli.app import app as command_line
from domain.order.attention import AttentionTopic
from gateway.app import create_app
from gateway.context import GatewaySettings
from runtime.settings import DEVELOPMENT_KEYS, Settings, variable
from runtime.temporal import operator_links
from tests.support.activity_names import activity_names
from workflows import run_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OPERATORS = (ROOT / "docs/operators.md").read_text()
PAGES = [
    *(ROOT / "README.md", ROOT / "CHANGELOG.md"),
    *sorted(page for room in ("docs", "examples") for page in ROOT.glob(f"{room}/**/*.md")),
]


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if name in DEVELOPMENT_KEYS or isinstance(value, SecretStr):
        return "development only"
    if value == "":
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_told_with_its_default(name: str) -> None:
    assert f"| `{variable(name)}` | {_default(name)} |" in (ROOT / "docs/settings.md").read_text()


def test_no_setting_is_told_that_does_not_exist() -> None:
    told = {name for page in PAGES for name in re.findall(r"\bORDERS_[A-Z_]*[A-Z]\b", page.read_text())}
    assert told <= {variable(name) for name in Settings.model_fields}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings}, target


def test_the_story_has_a_picture_that_names_the_pivot_and_the_undo() -> None:
    (picture,) = _blocks(README, "mermaid")
    assert picture.startswith("flowchart")
    assert "THE PIVOT" in picture
    assert "undo:" in picture


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z.]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert {"demo", "test"} <= told
    assert told <= targets


def _words(page: str) -> list[list[str]]:
    """The command lines, each cut into words; a comment or a closing quote ends one."""
    return [line.split() for line in re.findall(r"python starter\.py ([^#`\n]+)", page)]


def test_every_command_and_option_that_is_told_exists() -> None:
    root: Any = get_command(command_line)
    for page in PAGES:
        for words in _words(page.read_text()):
            command = root
            while getattr(command, "commands", None) and words:
                assert words[0] in command.commands, words
                command = command.commands[words.pop(0)]
            options = {option for parameter in command.params for option in parameter.opts}
            asked = {word for word in words if word.startswith("--")}
            assert asked <= options | {"--help"}, (command.name, asked - options)


def test_every_command_is_told() -> None:
    root: Any = get_command(command_line)
    told = {words[0] for words in _words(README)}
    assert set(root.commands) <= told


def test_every_route_is_told() -> None:
    page = (ROOT / "docs/http.md").read_text()
    settings = GatewaySettings(jwt_key=SecretStr("k" * 32))
    document = create_app(cast(Front, None), settings, cast(NotificationReader, None)).openapi()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"| {method.upper()} | `{path}` |" in page


def test_every_activity_is_told() -> None:
    page = (ROOT / "docs/activities.md").read_text()
    names = activity_names()
    assert len(names) > 20
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_query_that_is_printed_is_told() -> None:
    for question in operator_links("http://ui"):
        assert f"| {question.split(' (')[0]} |" in OPERATORS


def test_the_queries_that_are_told_are_those_that_are_printed() -> None:
    printed = operator_links("http://ui", now=datetime(2026, 11, 21, tzinfo=UTC)).values()
    for link in printed:
        assert f"| `{unquote(link.partition('query=')[2])}` |" in OPERATORS


def test_every_search_attribute_is_told() -> None:
    assert [name for name in run_names.REGISTERED if f"`{name}`" not in OPERATORS] == []


def test_every_topic_that_needs_a_person_is_told() -> None:
    table = OPERATORS.partition("\n## What to do at 3 a.m.\n")[2].partition("\n\n**")[0]
    topics = {
        topic for row in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for topic in re.findall("`(.+?)`", row)
    }
    assert {topic.removeprefix("{sub-order} ") for topic in topics} == set(AttentionTopic)


def test_the_worked_example_is_a_payment_provider() -> None:
    (example,) = [block for block in _blocks(README, "python") if "PaymentProvider" in block]
    made: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), made)
    wanted = {name: call for name, call in inspect.getmembers(PaymentProvider, inspect.isfunction) if name[0] != "_"}
    assert wanted
    for name, call in wanted.items():
        assert inspect.signature(getattr(made["AcmePayments"], name)) == inspect.signature(call)


def test_the_line_that_the_worked_example_replaces_is_there() -> None:
    (replaced,) = re.findall(r"^-( .*)$", "\n".join(_blocks(README, "diff")), re.MULTILINE)
    assert replaced in (ROOT / "runtime/wiring.py").read_text().splitlines()
