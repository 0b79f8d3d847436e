"""What the parties saw, as they report it: the auditor's own model of what must be true.

A request that got no answer is *unknown*: whether it took effect or not, both are right.
"""

from dataclasses import dataclass, field
from typing import Any

PLACED, REFUSED, UNKNOWN = "PLACED", "REFUSED", "UNKNOWN"


@dataclass
class Checkout:
    """One caller's key, and every answer that it got."""

    key: str
    buyer_id: int
    lines: dict[str, int]  # pieces by SKU
    coupons: tuple[str, ...] = ()
    order_nos: set[str] = field(default_factory=set)
    amounts_fen: set[int] = field(default_factory=set)
    outcome: str = UNKNOWN
    refusal: str = ""


@dataclass(frozen=True)
class Acknowledged:
    """An act that was answered as done."""

    act: str  # cancel, ship, deliver, confirm, review, approve, reject
    number: str  # the order's or sub-order's
    actor: str
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class Seen:
    """All that the parties saw; the workload fills it, and the auditor reads it."""

    checkouts: list[Checkout] = field(default_factory=list)
    acts: list[Acknowledged] = field(default_factory=list)
    captures: dict[str, tuple[str, int, str]] = field(default_factory=dict)  # by id: payment, fen, currency
    sellable: dict[str, int] = field(default_factory=dict)  # pieces that were ever put on sale, by SKU

    def placed(self) -> dict[str, Checkout]:
        """The checkouts that were told that their order is placed, by the order's number."""
        return {number: one for one in self.checkouts if one.outcome == PLACED for number in one.order_nos}
