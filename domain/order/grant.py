"""Who gets what in a batch of orders: in the order of their arrival, each gets all of its lines or none."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.order.reservation import OverLimit, Reserved, ReserveStock, Shortage, StockLine
from domain.order.stock import StockPolicy

Counted = tuple[str, str]
"""A counter of the sellable ledger: SKU and channel."""

GRANTED = Reserved(short=[])


@dataclass(frozen=True, slots=True)
class Limit:
    pieces: int
    window_s: int


@dataclass
class BatchStock:
    """The sellable stock and the limits that the locked rows show, less what the batch has taken of them so far."""

    available: dict[Counted, int]
    limits: Mapping[str, Limit] = field(default_factory=dict)
    bought: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by (order, sku): before this batch
    _granted: Counter[tuple[int, str]] = field(default_factory=Counter)  # by (buyer, sku): in this batch

    def ask(self, order: ReserveStock) -> Reserved:
        """Take the order's pieces, or say what is lacking."""
        taken, wanted = _by_sku(order)
        if any(self.available.get((sku, order.channel), -1) < pieces for sku, pieces in taken.items()) or (
            self.limits and any(self._over(order, line, wanted[line.sku]) for line in order.lines)
        ):
            return self._refusal(order, taken, wanted)
        for sku, pieces in taken.items():
            self.available[sku, order.channel] -= pieces
            if self.limits:
                self._granted[order.buyer_id, sku] += wanted[sku]
        return GRANTED

    def _refusal(self, order: ReserveStock, taken: Mapping[str, int], wanted: Mapping[str, int]) -> Reserved:
        """The refusal, naming all that is lacking. A SKU that nobody has received is lacking even for a line that takes
        its stock only when it is paid."""
        there = {sku: self.available.get((sku, order.channel), -1) for sku in taken}
        short = [
            Shortage(line_no=line.line_no, sku=line.sku, wanted=wanted[line.sku], available=max(there[line.sku], 0))
            for line in order.lines
            if there[line.sku] < taken[line.sku]
        ]
        over = [found for line in order.lines if (found := self._over(order, line, wanted[line.sku]))]
        return Reserved(short=short, over_limit=over)

    def _over(self, order: ReserveStock, line: StockLine, wanted: int) -> OverLimit | None:
        limit = self.limits.get(line.sku)
        if limit is None or not order.buyer_id:
            return None
        bought = self.bought.get((order.order_no, line.sku), 0) + self._granted[order.buyer_id, line.sku]
        if bought + wanted <= limit.pieces:
            return None
        return OverLimit(
            line_no=line.line_no,
            sku=line.sku,
            wanted=wanted,
            bought=bought,
            limit=limit.pieces,
            window_s=limit.window_s,
        )


def _by_sku(order: ReserveStock) -> tuple[dict[str, int], dict[str, int]]:
    """The pieces that the order takes now, and all that it wants, with the promised ones, by SKU."""
    taken: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for line in order.lines:
        sku = line.sku
        wanted[sku] = wanted.get(sku, 0) + line.quantity
        taken[sku] = taken.get(sku, 0) + (line.quantity if is_taken(line) else 0)
    return taken, wanted


def is_taken(line: StockLine) -> bool:
    """Whether the placement takes the line's stock; otherwise the payment does."""
    return line.policy is StockPolicy.RESERVE_ON_PLACEMENT
