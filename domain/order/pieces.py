"""Some pieces of a sub-order's lines: what a cancel, a refund or an after-sale case is about."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from domain.base import Document


class Pieces(Document):
    """A number of pieces of one line."""

    line_no: int = Field(ge=1, le=1_000_000)
    quantity: int = Field(ge=1, le=1_000_000)


def _each_line_once(lines: list[Pieces]) -> list[Pieces]:
    seen: set[int] = set()
    for line in lines:
        if line.line_no in seen:
            raise ValueError(f"line number {line.line_no} appears twice; name each line once")
        seen.add(line.line_no)
    return lines


SomePieces = Annotated[list[Pieces], Field(min_length=1, max_length=1_000), AfterValidator(_each_line_once)]
"""At least one piece; each line is named once."""


def by_line(lines: Sequence[Pieces]) -> dict[int, int]:
    return {line.line_no: line.quantity for line in lines}
