"""Sets the demands for one SKU against its stock: which warehouses suffice, and what each of them then sends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Placement = dict[int, int]
"""How many pieces each warehouse (by index) sends."""


SEARCHED = 5
"""The number of demands for one SKU up to which the ways to send them are searched, for at most `STEPS` steps; beyond
it, the largest demand is served first."""
STEPS = 400


@dataclass(frozen=True, slots=True)
class Demand:
    """A number of pieces of a SKU; `preferred` is the index of a warehouse."""

    sku: str
    quantity: int
    preferred: int | None = None


def grouped(demands: Sequence[Demand], stocks: Sequence[dict[str, int]]) -> tuple[list["StockGroup"], list[int]]:
    """The demands by SKU, each reduced to what there is in all, and what is missing of each demand. What is missing
    falls to the last demands, which are the gifts."""
    by_sku: dict[str, list[int]] = {}
    for i, demand in enumerate(demands):
        by_sku.setdefault(demand.sku, []).append(i)
    missing = [0] * len(demands)
    groups = []
    for sku, members in by_sku.items():
        stock = [warehouse.get(sku, 0) for warehouse in stocks]
        left = sum(stock)
        wants = []
        for i in members:
            wants.append(min(demands[i].quantity, left))
            left -= wants[-1]
            missing[i] = demands[i].quantity - wants[-1]
        if sum(wants):
            groups.append(StockGroup(members, wants, [demands[i].preferred for i in members], stock))
    return groups, missing


@dataclass
class StockGroup:
    """The demands for one SKU: nearly always one, more when a SKU is on two lines or is also a gift."""

    members: list[int]
    wants: list[int]
    preferred: list[int | None]
    stock: list[int]
    whole: bool = False
    _filled: dict[int, list[Placement] | None] = field(default_factory=dict)
    _stocked: dict[int, int] = field(default_factory=dict)
    _steps: int = 0

    def __post_init__(self) -> None:
        everywhere = (1 << len(self.stock)) - 1
        # A group is whole when no demand has to be spread over warehouses: then none may be.
        self.whole = self._whole(everywhere) is not None
        least = min(want for want in self.wants if want) if self.whole else 1
        self.useful = sum(1 << w for w, stock in enumerate(self.stock) if stock >= least)

    @property
    def signature(self) -> object:
        """What decides which warehouses suffice: the same ones do for groups with the same signature."""
        single = self.whole and len(self.members) == 1
        return self.useful if single else (tuple(self.wants), tuple(self.stock))

    @property
    def effort(self) -> int:
        """About how much longer `suffices` takes than for a single demand."""
        return len(self.members) * len(self.stock) if self.whole and len(self.members) > 1 else 1

    def suffices(self, chosen: int) -> bool:
        """Whether these warehouses (a bit each) can send everything."""
        if not self.whole:
            return self._in_stock(chosen) >= sum(self.wants)
        if len(self.members) == 1:
            return bool(self.useful & chosen)
        return self.fill(chosen) is not None

    def _in_stock(self, chosen: int) -> int:
        chosen &= self.useful
        if chosen not in self._stocked:
            self._stocked[chosen] = sum(stock for w, stock in enumerate(self.stock) if chosen >> w & 1)
        return self._stocked[chosen]

    def gains(self, chosen: int, w: int) -> float:
        """How far one more warehouse helps, from 0 to 1."""
        if chosen >> w & 1 or not self.useful >> w & 1:
            return 0
        return 1 if self.suffices(chosen | 1 << w) else min(1.0, self.stock[w] / sum(self.wants))

    def moved(self, chosen: int) -> int:
        """The pieces that don't come from their preferred warehouse."""
        return self.moved_in(self.fill(chosen) or [])

    def moved_in(self, placements: Sequence[Placement]) -> int:
        """The pieces of these placements that don't come from their preferred warehouse."""
        return sum(
            sum(placement.values()) - placement.get(preferred, 0)
            for preferred, placement in zip(self.preferred, placements, strict=True)
            if preferred is not None
        )

    def fill(self, chosen: int) -> list[Placement] | None:
        """What each of these warehouses sends, with the fewest pieces moved; None when they don't suffice."""
        chosen &= self.useful
        if chosen not in self._filled:
            self._filled[chosen] = self._whole(chosen) if self.whole else self._spread(chosen)
        return self._filled[chosen]

    def _whole(self, chosen: int) -> list[Placement] | None:
        """A way to send each demand from one warehouse, with the fewest pieces moved; the first one found of several
        equal ones, None when there is none."""
        best: list[Placement] | None = None
        left = [s * (chosen >> w & 1) for w, s in enumerate(self.stock)]
        if not 1 < len(self.wants) <= SEARCHED:
            return self._largest_first(left)
        self._steps = STEPS
        for placements in self._wholes(0, left):
            if best is None or self.moved_in(placements) < self.moved_in(best):
                best = placements
            if self.moved_in(best) == 0:
                break
        return best

    def _largest_first(self, left: list[int]) -> list[Placement] | None:
        placements: list[Placement] = [{} for _ in self.wants]
        for at in sorted(range(len(self.wants)), key=lambda at: -self.wants[at]):
            want = self.wants[at]
            enough = [w for w, stock in enumerate(left) if stock >= want]
            if want and not enough:
                return None
            if want:
                w = min(enough, key=lambda w: (w != self.preferred[at], left[w]))
                placements[at] = {w: want}
                left[w] -= want
        return placements

    def _wholes(self, at: int, left: list[int]) -> Iterator[list[Placement]]:
        if at == len(self.wants):
            yield []
            return
        self._steps -= 1
        want = self.wants[at]
        for w in self._nearest(at, left):
            if self._steps > 0 and (want == 0 or left[w] >= want):
                rest = [stock - want * (w == other) for other, stock in enumerate(left)]
                for placements in self._wholes(at + 1, rest):
                    yield [{w: want} if want else {}, *placements]
                if want == 0:
                    return

    def _spread(self, chosen: int) -> list[Placement] | None:
        """Each demand from one warehouse where one still has enough, else from the preferred one and then from the
        fullest; None when the chosen warehouses don't have enough in all."""
        left = [s * (chosen >> w & 1) for w, s in enumerate(self.stock)]
        if sum(left) < sum(self.wants):
            return None
        placements = []
        for at, want in enumerate(self.wants):
            order = self._nearest(at, left)
            enough = [w for w in order if left[w] >= want]
            placement: Placement = {}
            for w in enough[:1] or sorted(order, key=lambda w: (w != self.preferred[at], -left[w])):
                if pieces := min(left[w], want):
                    placement[w] = pieces
                    left[w] -= pieces
                    want -= pieces
            placements.append(placement)
        return placements

    def _nearest(self, at: int, left: Sequence[int]) -> list[int]:
        return sorted(range(len(left)), key=lambda w: (w != self.preferred[at], w))

    def ways(self) -> Iterator[list[Placement]]:
        """The ways to send everything, the preferred ones first."""
        self._steps = STEPS * STEPS
        if len(self.wants) > SEARCHED:
            return iter([self.fill(self.useful) or []])
        if self.whole:
            return self._wholes(0, list(self.stock))
        if len(self.wants) == 1:
            return ([placement] for placement in self._mixtures(self.wants[0], 0))
        return iter([self._spread(self.useful) or []])

    def _mixtures(self, want: int, w: int) -> Iterator[Placement]:
        if w == len(self.stock):
            if want == 0:
                yield {}
            return
        least = max(0, want - sum(self.stock[w + 1 :]))
        for pieces in range(min(want, self.stock[w]), least - 1, -1):
            for rest in self._mixtures(want - pieces, w + 1):
                yield {w: pieces, **rest} if pieces else rest
