"""Documents that people write, read strictly: one error names the place and says what would be right."""

import difflib
import json
import sys
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.cli_base import BAD_INPUT, Fault

MOST_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], file: str) -> Model:
    """A JSON file (`-`: the standard input) as a document."""
    raw = read_file(file)
    return parse_document(model, raw, "stdin" if file == "-" else file)


def parse_document(model: type[Model], raw: bytes, name: str) -> Model:
    """JSON as a document. Stricter than JSON: each key once, no NaN, no unknown keys."""
    try:
        text = raw.decode("utf-8-sig")
        json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Fault(f"{name}: byte {error.start} is not UTF-8: save the file as UTF-8", BAD_INPUT) from None
    except RecursionError:
        raise Fault(f"{name}: nested too deeply", BAD_INPUT) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Fault(f"{name}: not JSON at {where}: {error.msg}", BAD_INPUT) from None
    except ValueError as error:
        raise Fault(f"{name}: {error}", BAD_INPUT) from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise Fault(f"{name}: {told(error, model)}", BAD_INPUT) from None


def made(model: type[Model], options: dict[str, str] | None = None, **fields: Any) -> Model:
    """A document made of a command's options; `options` names those that are called otherwise than their field."""
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        name = (options or {}).get(field, f"--{field.replace('_', '-')}")
        raise Fault(f"{name}: {_reason(dict(first))}", BAD_INPUT) from None


def told(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, and how many more there are."""
    every = error.errors()
    first = every[0]
    more = f" (and {len(every) - 1} more)" if len(every) > 1 else ""
    place = _place(first["loc"])
    reason = _unknown_key(first["loc"], model) if first["type"] == "extra_forbidden" else _reason(dict(first))
    return f"{place}: {reason}{more}" if place else f"{reason}{more}"


def read_file(file: str) -> bytes:
    """The bytes of a file (`-`: the standard input)."""
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Fault(f"{file}: can't be read: {reason}", BAD_INPUT) from None
    if len(raw) > MOST_BYTES:
        raise Fault(f"{file}: larger than {MOST_BYTES:,} bytes: that is no document of ours", BAD_INPUT)
    return raw


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object: keep one of them")
        found[key] = value
    return found


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON: write a number")


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _unknown_key(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Also says what is known there."""
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
# What would be right, in words, where the rule is a pattern.
_ID = "must be letters, digits, and . _ - between them"
_LOOKS = {
    "phone": "must be a phone number, like 13800138000 or +86 138-0013-8000",
    **dict.fromkeys(("sku", "merchant", "warehouse"), _ID),
}


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
