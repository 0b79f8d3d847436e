"""Reads documents and options that people write, strictly: one error names the place and says what would be right."""

import difflib
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from cli.base import BAD_INPUT, Fault
from domain.order.pieces import Pieces
from domain.strict_json import BadInput, load

MOST_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], file: str) -> Model:
    """Read a JSON file (`-` is standard input) as a document. Raises Fault."""
    raw = read_bytes(file)
    return parse_document(model, raw, "stdin" if file == "-" else file)


def parse_document(model: type[Model], raw: bytes, name: str) -> Model:
    """Read JSON as a document. It is stricter than JSON: no duplicate keys, no NaN, no unknown keys. Raises Fault."""
    try:
        text = raw.decode("utf-8-sig")
        load(text)
    except UnicodeDecodeError as error:
        raise Fault(f"{name}: byte {error.start} is not UTF-8: save the file as UTF-8", BAD_INPUT) from None
    except BadInput as error:
        raise Fault(f"{name}: {error}", BAD_INPUT) from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise Fault(f"{name}: {told(error, model)}", BAD_INPUT) from None


def made(model: type[Model], options: dict[str, str] | None = None, **fields: Any) -> Model:
    """A document from a command's options; `options` maps a field to its option where their names differ. Raises
    Fault."""
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        name = (options or {}).get(field, f"--{field.replace('_', '-')}")
        raise Fault(f"{name}: {_reason(dict(first))}", BAD_INPUT) from None


def pieces_of(option: str, texts: Sequence[str]) -> list[Pieces]:
    """The pieces that an option names, each as `1=2`: two pieces of line 1. Raises Fault for any other form."""
    found = []
    for text in texts:
        line_no, _, quantity = text.partition("=")
        if not (line_no.isdecimal() and quantity.isdecimal()):
            raise Fault(f"{option}: {text!r} is no LINE=N, like 1=2: two pieces of line 1", BAD_INPUT)
        named = {"line_no": option, "quantity": option}
        found.append(made(Pieces, named, line_no=int(line_no), quantity=int(quantity)))
    return found


def told(error: ValidationError, model: type[BaseModel]) -> str:
    """The text that tells the first mistake, and how many more there are."""
    every = error.errors()
    first = every[0]
    more = f" (and {len(every) - 1} more)" if len(every) > 1 else ""
    place = _place(first["loc"])
    reason = _unknown_key(first["loc"], model) if first["type"] == "extra_forbidden" else _reason(dict(first))
    return f"{place}: {reason}{more}" if place else f"{reason}{more}"


def read_bytes(file: str, most: int = MOST_BYTES) -> bytes:
    """A file's content (`-` is standard input), up to `most` bytes. Raises Fault."""
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(most + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(most + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Fault(f"{file}: can't be read: {reason}", BAD_INPUT) from None
    if len(raw) > most:
        raise Fault(f"{file}: larger than {most:,} bytes: that is no document of ours", BAD_INPUT)
    return raw


def moment(text: str, now: datetime, direction: int = 1) -> datetime:
    """The moment that a text names: a time, or a span from now, forward (for an expiry) or, with a `direction` of -1,
    back (for a start)."""
    if span := re.fullmatch(r"([0-9]{1,5})([dh])", text):
        hours = int(span[1]) * (24 if span[2] == "d" else 1)
        return now + direction * timedelta(hours=hours)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-12-31T00:00:00Z, or a span like 30d or 12h")
    return found.astimezone(UTC)


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _unknown_key(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The text for an unknown key, with the nearest known one, or all that are known there."""
    known = list(_model_at(model, location[:-1]).model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"is not known; did you mean {near[0]}?" if near else f"is not known; known are {', '.join(known)}"


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    found = model
    for part in location:
        if isinstance(part, str):
            inside = found.model_fields[part].annotation
            inner = [inside, *getattr(inside, "__args__", ())]
            found = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), found)
    return found


_WANTED = {
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "missing": "is missing",
    "too_short": "must have {min_length} or more",
    "too_long": "must have {max_length} or fewer",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
}
# What would be right, in words, for fields whose rule is a pattern.
_LOOKS = {"phone": "must be a phone number, like 13800138000 or +86 138-0013-8000"}


def _reason(error: dict[str, Any]) -> str:
    wanted = _WANTED.get(error["type"], "").format(**error.get("ctx", {}))
    if error["type"] == "string_pattern_mismatch":
        wanted = _LOOKS.get(str(error["loc"][-1]), "")
    if not wanted:
        return str(error["msg"]).removeprefix("Value error, ")
    given = error["input"]
    is_scalar = isinstance(given, str | int | float | None) and error["type"] != "missing"
    return f"{wanted}, not {_short(given)}" if is_scalar else wanted


def _short(given: object) -> str:
    text = json.dumps(given, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "…"
