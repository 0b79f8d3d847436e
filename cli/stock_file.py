"""A file of received goods, in JSON or CSV, read strictly row by row."""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cli.base import BAD_INPUT, Fault
from cli.catalog_file import Id
from cli.input import parse_document, read_bytes, told
from domain.base import Document
from domain.order.stock import MAIN_CHANNEL

MOST_ROWS = 10_000
MOST_TOLD = 5


class Row(Document):
    """A number of pieces more of a SKU: in a channel, or in a warehouse if one is named."""

    sku: Id
    pieces: int = Field(ge=1, le=100_000_000)
    channel: Id = MAIN_CHANNEL
    warehouse: Id | None = None
    reason: str = Field(default="", max_length=300)


class _Rows(Document):
    rows: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_ROWS)


class StockFile(Document):
    """The rows of a file. `key` is the SHA-256 of its content, by which the same file is imported only once."""

    key: str
    rows: list[Row]


def read_stock_file(file: str) -> StockFile:
    """Read a file, all rows or none. Raises Fault, which names the rows that are wrong."""
    raw = read_bytes(file)
    name = "stdin" if file == "-" else file
    given = _csv(raw, name) if Path(file).suffix.lower() == ".csv" else parse_document(_Rows, raw, name).rows
    rows, wrong = [], []
    for number, fields in enumerate(given, start=1):
        try:
            rows.append(Row.model_validate(fields))
        except ValidationError as error:
            wrong.append(f"row {number}: {told(error, Row)}")
    if wrong:
        raise bad_rows(name, wrong, BAD_INPUT)
    return StockFile(key=hashlib.sha256(raw).hexdigest(), rows=rows)


def bad_rows(name: str, wrong: list[str], code: int) -> Fault:
    more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
    count = "1 row is" if len(wrong) == 1 else f"{len(wrong)} rows are"
    return Fault(f"{name}: {count} wrong, nothing is imported: {'; '.join(wrong[:MOST_TOLD])}{more}", code)


def _csv(raw: bytes, name: str) -> list[dict[str, Any]]:
    """The rows of a CSV file: its first line names the columns, and an empty field is left out. Raises Fault."""
    try:
        table = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise Fault(f"{name}: byte {error.start} is not UTF-8: save the file as UTF-8", BAD_INPUT) from None
    except csv.Error as error:
        raise Fault(f"{name}: not CSV: {error}", BAD_INPUT) from None
    heading, *lines = [line for line in table if line] or [[]]
    if not lines:
        raise Fault(f"{name}: has no rows; the first line names the columns, like sku,pieces", BAD_INPUT)
    if len(lines) > MOST_ROWS:
        raise Fault(f"{name}: has {len(lines):,} rows, and may have {MOST_ROWS:,}", BAD_INPUT)
    twice = sorted({column for column in heading if heading.count(column) > 1})
    if twice:
        raise Fault(f"{name}: the column {twice[0]} appears twice: keep one of them", BAD_INPUT)
    wrong = [f"row {n}: has {len(line)} fields" for n, line in enumerate(lines, start=1) if len(line) != len(heading)]
    if wrong:
        raise bad_rows(name, [f"{one}, the heading {len(heading)}" for one in wrong], BAD_INPUT)
    return [_typed(dict(zip(heading, line, strict=True))) for line in lines]


def _typed(fields: dict[str, str]) -> dict[str, Any]:
    """The fields of a CSV row, of which `pieces` becomes a number. If it is no whole number it stays text, which the
    model then refuses by name."""
    given: dict[str, Any] = {name: text for name, text in fields.items() if text}
    if (pieces := fields.get("pieces", "")).isascii() and pieces.removeprefix("-").isdigit():
        given["pieces"] = int(pieces)
    return given
