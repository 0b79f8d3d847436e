"""Sellable stock in memory. It sells through one channel, knows no purchase limits and has no warehouses."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine, shortages
from domain.order.stock import StockPolicy


class LineState(StrEnum):
    RESERVED = "RESERVED"
    PROMISED = "PROMISED"  # taken only by its payment
    SOLD = "SOLD"
    RELEASED = "RELEASED"


HELD_STATES = (LineState.RESERVED, LineState.PROMISED)


@dataclass
class KeptLine:
    line: StockLine
    state: LineState
    restocked: int = 0

    @property
    def taken(self) -> int:
        """The pieces that nobody else can have."""
        match self.state:
            case LineState.RESERVED:
                return self.line.quantity
            case LineState.SOLD:
                return self.line.quantity - self.restocked
        return 0


@dataclass
class StockOfOrder:
    """What the ledger has answered one order, under its key."""

    since: datetime
    lines: list[KeptLine] = field(default_factory=list)
    refused: Reserved | None = None
    released: int | None = None
    deducted: Deducted | None = None
    restocked: dict[str, int] = field(default_factory=dict)

    @property
    def all_given_back(self) -> bool:
        return self.released is not None and all(kept.state is LineState.RELEASED for kept in self.lines)


class MemoryStock:
    """Implements `activities.stock.StockLedger`. How much is left is counted from the lines, each time."""

    def __init__(self) -> None:
        self.received: dict[str, int] = {}
        self.orders: dict[str, StockOfOrder] = {}

    async def receive(self, sku: str, pieces: int) -> None:
        self.received[sku] = self.received.get(sku, 0) + pieces

    def level(self, sku: str) -> dict[str, int]:
        """The counters of a SKU, under the names that PostgreSQL's have."""
        counted: dict[str, int] = defaultdict(int)
        for order in self.orders.values():
            for kept in order.lines:
                if kept.line.sku == sku:
                    counted["deducted" if kept.state is LineState.SOLD else "reserved"] += kept.taken
        total, reserved, deducted = self.received.get(sku, 0), counted["reserved"], counted["deducted"]
        left = total - reserved - deducted
        return {"sellable_total": total, "available": left, "reserved": reserved, "deducted": deducted}

    def available(self, sku: str) -> int:
        return self.level(sku)["available"]

    async def reserve(self, request: ReserveStock) -> Reserved:
        known = self.orders.get(request.order_no)
        if known is not None:
            return _told_before(known, request)
        order = self.orders[request.order_no] = StockOfOrder(request.at or datetime.now(UTC))
        answer = Reserved(short=self._lacking(request.lines))
        if answer.short:
            order.refused = answer
        else:
            order.lines = [KeptLine(line, _first_state(line)) for line in request.lines]
        return answer

    async def release(self, request: ReleaseStock) -> Moved:
        order = self.orders.setdefault(request.order_no, StockOfOrder(datetime.now(UTC)))
        if order.released is None:
            ended = (*HELD_STATES, LineState.SOLD) if request.sold else HELD_STATES
            ending = [kept for kept in order.lines if kept.state in ended]
            order.released = sum(kept.taken for kept in ending)
            for kept in ending:
                kept.state = LineState.RELEASED
        return Moved(pieces=order.released)

    async def deduct(self, request: StockOf) -> Deducted:
        order = self.orders.get(request.order_no)
        if order is None or order.refused is not None:
            return Deducted(pieces=0)
        if order.all_given_back:
            return Deducted(pieces=0, short=[_short(kept, 0) for kept in order.lines])
        if order.deducted is None:
            short = [lacking for kept in order.lines if (lacking := self._sell(kept)) is not None]
            order.deducted = Deducted(pieces=sum(kept.taken for kept in order.lines), short=short)
        return order.deducted

    async def restock(self, request: Restock) -> Moved:
        order = self.orders[request.order_no]
        if request.reason_key not in order.restocked:
            bringing = [] if order.all_given_back else [(_sold(order, line), line) for line in request.lines]
            for kept, line in bringing:
                kept.restocked += line.quantity
            order.restocked[request.reason_key] = sum(line.quantity for _, line in bringing)
        return Moved(pieces=order.restocked[request.reason_key])

    def _lacking(self, lines: Sequence[StockLine]) -> list[Shortage]:
        """What only its payment takes is not lacking yet; but a SKU that nobody has received is."""
        taken = [
            line for line in lines if line.policy is StockPolicy.RESERVE_ON_PLACEMENT or line.sku not in self.received
        ]
        return shortages(taken, {line.sku: self.available(line.sku) for line in taken})

    def _sell(self, kept: KeptLine) -> Shortage | None:
        left = self.available(kept.line.sku)
        if kept.state is LineState.PROMISED and left < kept.line.quantity:
            kept.state = LineState.RELEASED
            return _short(kept, left)
        kept.state = LineState.SOLD
        return None


def _first_state(line: StockLine) -> LineState:
    return LineState.RESERVED if line.policy is StockPolicy.RESERVE_ON_PLACEMENT else LineState.PROMISED


def _told_before(known: StockOfOrder, request: ReserveStock) -> Reserved:
    if known.refused is not None:
        return known.refused
    if known.released is not None:
        return Reserved(short=[], released_before=True)
    return Reserved(short=[], other_lines=[kept.line for kept in known.lines] != request.lines)


def _sold(order: StockOfOrder, line: StockLine) -> KeptLine:
    for kept in order.lines:
        same = (kept.line.line_no, kept.line.sku) == (line.line_no, line.sku)
        if same and kept.state is LineState.SOLD and line.quantity <= kept.taken:
            return kept
    raise ValueError(f"the order took no {line.quantity} {line.sku} for line {line.line_no}: none goes back")


def _short(kept: KeptLine, left: int) -> Shortage:
    return Shortage(line_no=kept.line.line_no, sku=kept.line.sku, wanted=kept.line.quantity, available=left)
