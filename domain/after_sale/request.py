"""Whether a buyer may ask for after-sale (售后), and of what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.after_sale.case import AskAfterSale, CaseKind, CaseRefused
from domain.order.status import Status

_HAS_LEFT = (Status.SHIPPED, Status.COMPLETED, Status.REVIEWED)
MOST_CASES = 99
"""The most cases that one sub-order can have, over all time."""


@dataclass(frozen=True, slots=True)
class Askable:
    """A sub-order as a request finds it. `left`: by line, the pieces that have neither gone back nor are in an open
    case; `gifts`: the lines that were given."""

    status: Status
    virtual: bool
    received_at: datetime | None
    window_s: int
    left: Mapping[int, int]
    gifts: Collection[int]
    cases: int


def why_not(ask: AskAfterSale, of: Askable, at: datetime) -> CaseRefused | None:
    """The first reason against opening the case; None when it may be opened."""
    reason = _of_time(of, at) or _of_kind(ask, of) or _of_pieces(ask, of)
    return CaseRefused(status=None, action=None, reason=reason) if reason else None


def _of_time(of: Askable, at: datetime) -> str:
    if of.status not in _HAS_LEFT:
        return f"after-sale begins when it has shipped, and its status is {of.status}; before that, cancel it"
    if of.received_at is not None and at > of.received_at + timedelta(seconds=of.window_s):
        ended = of.received_at + timedelta(seconds=of.window_s)
        return f"the window for after-sale ended at {ended:%Y-%m-%dT%H:%M:%SZ}, {of.window_s} s after the receipt"
    if of.cases >= MOST_CASES:
        return f"there have been {of.cases} cases on this sub-order, and no more are taken"
    return ""


def _of_kind(ask: AskAfterSale, of: Askable) -> str:
    if of.virtual and ask.kind is CaseKind.RETURN_AND_REFUND:
        return f"virtual goods can't be sent back; ask for {CaseKind.REFUND_ONLY}"
    return ""


def _of_pieces(ask: AskAfterSale, of: Askable) -> str:
    for line in ask.lines:
        if line.line_no in of.gifts:
            return f"line {line.line_no} is a gift: it goes back with what it was given for"
        left = of.left.get(line.line_no)
        if left is None:
            return f"line {line.line_no} is not in this sub-order"
        if line.quantity > left:
            return (
                f"{line.quantity} pieces of line {line.line_no}, of which {left} have not gone back or are in no case"
            )
    return ""
