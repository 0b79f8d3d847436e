"""Reading JSON documents that people or other programs wrote, with errors that name the place and the remedy."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.base import Document

D = TypeVar("D", bound=Document)


class BadInput(ValueError):
    """Raised for a document with a mistake: `place` says where, `problem` what is wrong and what to do. The command
    line prints it as one line, and ends with bad input."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class BadDocument(ValueError):
    """Raised for a document of many rows, with all that is wrong with it, in the order of the places. The command line
    prints a line for each, and changes nothing."""

    def __init__(self, problems: Iterable[BadInput]) -> None:
        self.problems = sorted({each.place: each for each in problems}.values(), key=_position)
        super().__init__("\n".join(str(each) for each in self.problems))


def read_document(model: type[D], text: str | bytes) -> D:
    """Read a JSON text as a model. Raises BadInput, also for NaN, duplicate keys and booleans used as numbers."""
    raw = load(text)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        # An unknown key is told before all else: a misspelled name is often the cause of the other errors.
        found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        raise _told(found[0], raw) from None


def read_whole_document(model: type[D], text: str | bytes, check: Callable[[Any], Iterable[BadInput]]) -> D:
    """Read a document of many rows as a model. Raises BadDocument, which tells all that is wrong at once.

    `check` is given the plain JSON, which may be anything, and names the mistakes that the model can't find."""
    try:
        raw, flaws = _load(text)
    except BadInput as wrong:
        raise BadDocument([wrong]) from None
    problems = [*check(raw), *flaws]
    try:
        document = model.model_validate_json(text)
    except ValidationError as error:
        # The causes come last, since of two problems at one place the last is told.
        problems = [*(_told(found, raw) for found in error.errors(include_url=False)), *problems]
    if problems:
        raise BadDocument(problems)
    return document


def load(text: str | bytes) -> Any:
    """Read JSON that is unambiguous (no duplicate key, no NaN) as plain objects. Raises BadInput."""
    raw, flaws = _load(text)
    for flaw in flaws:
        raise flaw
    return raw


def _load(text: str | bytes) -> tuple[Any, list[BadInput]]:
    # pydantic's own reader silently takes the last of two equal keys; this one refuses them.
    try:
        words = text if isinstance(text, str) else text.decode()  # json.loads would take UTF-16 bytes too
        raw = json.loads(words, object_pairs_hook=_object, parse_constant=_NotANumber)
        return raw, list(_flaws(raw))
    except json.JSONDecodeError as error:
        raise BadInput(f"line {error.lineno} column {error.colno}", f"is not JSON ({error.msg}); mend it") from None
    except UnicodeDecodeError:
        raise BadInput("the document", "is not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise BadInput("the document", "is nested too deeply; write it as the form says") from None
    except ValueError:
        raise BadInput("the document", "holds a number of thousands of digits; shorten it") from None


def _position(problem: BadInput) -> list[tuple[int, str]]:
    """The sort key of a problem's place: products[10] comes after products[9]."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", problem.place)]


class _NotANumber(str):
    """A NaN or an infinity, which Python's reader would let pass."""


class _Twice(dict[str, Any]):
    """An object in which a key appears twice."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    twice = _Twice(found)
    twice.key = next(key for i, key in enumerate(keys) if key in keys[:i])
    return twice


def _flaws(raw: Any, place: str = "") -> Iterator[BadInput]:
    """Every duplicate key and every NaN or infinity in the document."""
    if isinstance(raw, _Twice):
        yield BadInput(inside(place, raw.key), "appears twice in one object; keep one of the two")
    if isinstance(raw, _NotANumber):
        yield BadInput(place or "the document", f"{raw} is not a number; write a whole number")
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(raw, dict):
        parts = raw.items()
    elif isinstance(raw, list):
        parts = enumerate(raw)
    for key, value in parts:
        yield from _flaws(value, inside(place, key))


def inside(place: str, part: str | int) -> str:
    """The place of a key or of a list's entry; characters that would break the line of an error are escaped."""
    if isinstance(part, int):
        return f"{place}[{part}]"
    return f"{place}.{_spoken(part)}" if place else _spoken(part)


def _told(found: ErrorDetails, raw: Any) -> BadInput:
    place = _place(found["loc"], raw, found["type"])
    context = found.get("ctx", {})
    if found["type"] == "wrong":
        return BadInput(f"{place}.{context['at']}" if place else context["at"], context["problem"])
    if found["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place = inside(place, str(context["discriminator"]).strip("'"))
    return BadInput(place or "the document", _problem(found))


def _place(loc: tuple[int | str, ...], raw: Any, error: str) -> str:
    """A place like `lines[0].quantity`, without the branch of a union, which pydantic names and no document has."""
    place = ""
    for i, part in enumerate(loc):
        if isinstance(part, int):
            place = inside(place, part)
            raw = raw[part] if isinstance(raw, list) and part < len(raw) else None
        elif isinstance(raw, dict) and part in raw:
            place = inside(place, part)
            raw = raw[part]
        elif error == "missing" and i == len(loc) - 1:
            place = inside(place, part)
    return place


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _spoken(key: str) -> str:
    """A key as it can be shown in one line of an error: shortened and escaped."""
    shown = key if len(key) <= 80 else key[:77] + "..."
    return shown if shown.isprintable() else json.dumps(shown)


_PROBLEMS = {
    "extra_forbidden": "is not a key here; remove it or mend its name",
    "missing": "is missing; add it",
    "int_type": "must be a whole number; write it without quotes or fractions",
    "int_from_float": "must be a whole number; write it without a fraction",
    "date_type": "must be a date; write it like 2026-12-24",
    "date_parsing": "must be a date; write it like 2026-12-24",
    "date_from_datetime_parsing": "must be a date; write it like 2026-12-24",
    "date_from_datetime_inexact": "must be a date; write it like 2026-12-24",
    "bool_type": "must be true or false; write it without quotes",
    "string_type": "must be text; write it in quotes",
    "list_type": "must be a list; write it in [ ]",
    "model_type": "must be an object; write it in {{ }}",
    "model_attributes_type": "must be an object; write it in {{ }}",
    "dict_type": "must be an object; write it in {{ }}",
    "string_too_short": "is empty; write something",
    "string_too_long": "is too long; write at most {max_length} characters",
    "too_short": "has too few entries; write at least {min_length}",
    "too_long": "has {actual_length} entries; write at most {max_length}",
    "greater_than_equal": "{input} is too small; write a number of at least {ge}",
    "less_than_equal": "{input} is too large; write a number of at most {le}",
    "union_tag_invalid": "is unknown; write one of {tags}",
    "union_tag_not_found": "is missing; add it",
    "enum": "is unknown; write {expected}",
    "literal_error": "is unknown; write {expected}",
}


def _problem(found: ErrorDetails) -> str:
    template = _PROBLEMS.get(found["type"])
    if template is not None:
        context = found.get("ctx", {})
        tags = ", ".join(re.findall(r"'(\w+)'", str(context.get("expected_tags", ""))))
        return template.format(**context, input=_shown(found["input"]), tags=tags)
    message = found["msg"].removeprefix("Value error, ")
    spoken = f"{message[0].lower()}{message[1:]}"
    return spoken if ";" in spoken else f"{spoken}; mend it"
