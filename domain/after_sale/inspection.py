"""Whether a merchant may find what it says it found."""

from collections.abc import Collection, Sequence

from domain.after_sale.case import CaseAction, CaseRefused, CaseStatus, Inspect, case_refusal
from domain.order.pieces import Pieces, by_line
from domain.order.status import Actor


def why_not_so(
    found: Inspect, lines: Sequence[Pieces], gifts: Collection[int], status: CaseStatus, actor: Actor
) -> CaseRefused | None:
    """The first finding that can't be true; None when all can. A merchant may accept no more than the case is about,
    and find no more sellable than came."""
    reason = _of_accepted(found, by_line(lines)) or _of_sellable(found, gifts)
    return case_refusal(status, CaseAction.INSPECT, actor, reason) if reason else None


def _of_accepted(found: Inspect, asked: dict[int, int]) -> str:
    for line in found.accepted:
        if line.quantity > asked.get(line.line_no, 0):
            return f"{line.quantity} pieces of line {line.line_no}, and the case is about {asked.get(line.line_no, 0)}"
    return ""


def _of_sellable(found: Inspect, gifts: Collection[int]) -> str:
    unknown = [line_no for line_no in found.gifts_back if line_no not in gifts]
    if unknown:
        return f"line {unknown[0]} is no gift that can come back"
    accepted = by_line(found.accepted)
    for line in found.sellable:
        if line.line_no not in found.gifts_back and line.quantity > accepted.get(line.line_no, 0):
            came = accepted.get(line.line_no, 0)
            return f"{line.quantity} pieces of line {line.line_no} to sell again, of which {came} were accepted"
    return ""
