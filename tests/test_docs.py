"""The documentation stays true where that is cheap to check."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
from pydantic import SecretStr
from typer.main import get_command

from activities.notifications import NotificationReader
from acts.front import Front
from cli.app import app as command_line
from domain.order.attention import AttentionTopic
from gateway.app import create_app
from gateway.context import GatewaySettings
from runtime.settings import DEVELOPMENT_KEYS, Settings, variable
from runtime.temporal import operator_links
from tests.support.pages import PAGES
from tests.support.servers import ROOT
from workflows import run_names

README = (ROOT / "README.md").read_text()
CLI = (ROOT / "docs/cli.md").read_text()
OPERATORS = (ROOT / "docs/operators.md").read_text()
MOST_WORDS = 1_300  # of the README: what a stranger reads before deciding to go on


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def _links(page: str) -> list[str]:
    """The targets within the project."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", page)


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
    for target in _links(page.read_text()):
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings}, target


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_story_has_a_picture_whose_pivot_is_the_split_and_that_shows_the_undo(name: str) -> None:
    pictures = _blocks((ROOT / name).read_text(), "mermaid")
    assert all(picture.startswith("flowchart") for picture in pictures)
    (story,) = [picture for picture in pictures if "PIVOT" in picture]
    assert re.search(r"split\{\{.*THE PIVOT.*\}\}", story)
    before, after = story.split("split ==>")
    steps = ["place[", "collect[", "risk[", "sell[", "split{{"]
    assert sorted(steps, key=before.index) == steps
    assert {"place", "collect", "sell"} == set(re.findall(r'-\. "undo: [^"]+" \.-> (\w+)', after))


def test_the_readme_says_the_same_in_both_languages() -> None:
    english, chinese = README, (ROOT / "README.zh-CN.md").read_text()
    assert "](README.zh-CN.md)" in english.partition("\n## ")[0] and "](README.md)" in chinese.partition("\n## ")[0]
    for same in (
        r"^#+ ",  # sections
        r"^\|",  # rows
        r"(?:--|-\.|==).*?>",  # arrows
        r"`[^`\n]+`(?= \|)",  # what is named in a table
        r"^make \w+",  # commands
    ):
        assert len(re.findall(same, english, re.MULTILINE)) == len(re.findall(same, chinese, re.MULTILINE)), same
    assert set(_links(english)) - {"README.zh-CN.md"} == set(_links(chinese)) - {"README.md"}


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


def _commands(command: Any, *path: str) -> list[tuple[str, ...]]:
    """Each command, with the names of its groups before it."""
    under = getattr(command, "commands", None)
    if not under:
        return [path]
    return [found for name, each in under.items() for found in _commands(each, *path, name)]


def test_every_command_is_run_by_the_page_that_tells_it() -> None:
    run = [tuple(words) for words in _words("\n".join(_blocks(CLI, "sh")))]
    all_of_them = _commands(get_command(command_line))
    assert len(all_of_them) > 40
    assert [path for path in all_of_them if path not in {words[: len(path)] for words in run}] == []


def test_every_route_is_told() -> None:
    page = (ROOT / "docs/http.md").read_text()
    settings = GatewaySettings(jwt_key=SecretStr("k" * 32))
    document = create_app(cast(Front, None), settings, cast(NotificationReader, None)).openapi()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"| {method.upper()} | `{path}` |" in page


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
