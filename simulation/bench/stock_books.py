"""Compares what a ledger says after a turn with what its callers were told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    """A SKU's counters, and the pieces that its reservations hold."""

    sku: str
    available: int
    reserved: int
    held: int


def what_is_wrong(books: Sequence[Book], filled: Mapping[str, int], granted: Counter[str]) -> list[str]:
    """What is wrong in words (oversold, lost, counters that do not add up); empty when all is well."""
    wrong = []
    for book in books:
        told, there = granted[book.sku], filled[book.sku]
        if told > there:
            wrong.append(f"{book.sku}: oversold, {told} pieces were granted of {there}")
        if book.held != told:
            wrong.append(f"{book.sku}: {told} pieces were granted, and reservations hold {book.held}")
        if book.reserved != told:
            wrong.append(f"{book.sku}: {told} pieces were granted, and the counter says {book.reserved}")
        if book.available + book.reserved != there or book.available < 0:
            wrong.append(f"{book.sku}: {book.available} available and {book.reserved} reserved are not {there}")
    missing = set(filled) - {book.sku for book in books}
    return [*wrong, *(f"{sku}: there is no counter" for sku in sorted(missing))]
