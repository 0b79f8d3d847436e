"""Which warehouse (仓库) sends what: as few warehouses as possible, then as few pieces as possible from one that is not
preferred.

The plan is exact while the search stays within `CHECKS`; beyond, it is the best one found by then, and never worse
than a greedy one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from itertools import product as combinations
from math import prod

from domain.splitting.stock_groups import Demand, Placement, StockGroup, grouped

CHECKS = 100_000
OPTIONS = 3_000
"""The most plans that are tried one by one where, for the parcel limit, a warehouse may send several sub-orders."""
TRIALS = 60
WAYS = 8
"""How many changes are tried to a plan with more than `OPTIONS` alternatives: `TRIALS` in all, `WAYS` to one SKU."""

Load = tuple[tuple[int, int], ...]  # what one warehouse sends: (index of the demand, pieces)
CountParcels = Callable[[Load], int]


@dataclass(frozen=True, slots=True)
class WarehousePlan:
    """For each demand, how many pieces each warehouse (by index) sends, and how many no warehouse has."""

    sent: Sequence[Placement]
    missing: Sequence[int]


def plan_warehouses(
    demands: Sequence[Demand], stocks: Sequence[dict[str, int]], parcels: CountParcels
) -> WarehousePlan:
    """Cover the demands with as few sub-orders, then as few moved pieces, as possible.

    A demand is spread over warehouses only when no single one has enough; what no warehouse has is missing."""
    groups, missing = grouped(demands, stocks)
    cover = _Cover(groups, len(stocks)).search()
    placements = _joined(groups, [group.fill(cover) or [] for group in groups], len(demands))
    everything = tuple((i, sum(placement.values())) for i, placement in enumerate(placements) if placement)
    if everything and parcels(everything) > 1:
        placements = _Parcelled(groups, parcels, placements).search()
    return WarehousePlan(placements, missing)


class _Cover:
    """The search for the smallest set of warehouses that has everything: it branches on the group that the fewest
    warehouses can serve."""

    def __init__(self, groups: Sequence[StockGroup], warehouses: int) -> None:
        # Groups that the same warehouses can serve count as one here, where only the number of warehouses matters.
        self.groups = groups
        self.needs = list({group.signature: group for group in groups}.values())
        self.warehouses = warehouses
        self.checks = CHECKS
        self.effort = 10 + sum(need.effort for need in self.needs)
        self.best = self._rated(self._greedy())

    def search(self) -> int:
        self._branch(0, 0)
        return self.best[-1]

    def _rated(self, chosen: int) -> tuple[int, int, list[int], int]:
        members = [w for w in range(self.warehouses) if chosen >> w & 1]
        return (len(members), sum(group.moved(chosen) for group in self.groups), members, chosen)

    def _greedy(self) -> int:
        chosen = 0
        while open_ := [need for need in self.needs if not need.suffices(chosen)]:
            chosen |= 1 << max(range(self.warehouses), key=lambda w: (sum(n.gains(chosen, w) for n in open_), -w))
        for w in reversed(range(self.warehouses)):
            if all(need.suffices(chosen & ~(1 << w)) for need in self.needs):
                chosen &= ~(1 << w)
        return chosen

    def _branch(self, chosen: int, banned: int) -> None:
        self.checks -= self.effort
        open_ = [need for need in self.needs if not need.suffices(chosen)]
        if not open_:
            self.best = min(self.best, self._rated(chosen))
            return
        least = chosen.bit_count() + _disjoint(open_, banned)
        if self.checks <= 0 or least > self.best[0] or (least == self.best[0] and self.best[1] == 0):
            return
        if not all(need.suffices(~banned) for need in open_):
            return
        tightest = min(open_, key=lambda need: (need.useful & ~banned & ~chosen).bit_count())
        for w in range(self.warehouses):
            if (tightest.useful & ~banned & ~chosen) >> w & 1:
                self._branch(chosen | 1 << w, banned)
                banned |= 1 << w  # every set that holds this warehouse has been seen


def _disjoint(needs: Sequence[StockGroup], banned: int) -> int:
    """A lower bound on the warehouses that are still needed: groups with no warehouse in common need one each."""
    taken = count = 0
    for need in sorted(needs, key=lambda need: (need.useful & ~banned).bit_count()):
        if not need.useful & ~banned & taken:
            taken |= need.useful & ~banned
            count += 1
    return count


def _joined(groups: Sequence[StockGroup], filled: Sequence[Sequence[Placement]], count: int) -> list[Placement]:
    placements: list[Placement] = [{} for _ in range(count)]
    for group, found in zip(groups, filled, strict=True):
        for i, placement in zip(group.members, found, strict=True):
            placements[i] = placement
    return placements


def _loads(placements: Sequence[Placement]) -> dict[int, Load]:
    loads: dict[int, Load] = {}
    for i, placement in enumerate(placements):
        for w, pieces in placement.items():
            loads[w] = (*loads.get(w, ()), (i, pieces))
    return loads


class _Parcelled:
    """The search for the fewest sub-orders where the parcel limit binds, and so which warehouse sends a line decides
    how many there are.

    For a small order every plan is tried; for a larger one, other warehouses for one SKU after another."""

    def __init__(self, groups: Sequence[StockGroup], parcels: CountParcels, found: list[Placement]) -> None:
        self.groups = groups
        self.parcels = cache(parcels)
        self.best = found
        self.least = self._cost(found)

    def search(self) -> list[Placement]:
        options = self._all_options()
        if options is not None:
            for filled in combinations(*options):
                self._try(_joined(self.groups, filled, len(self.best)))
        else:
            for placements in islice(self._neighbours(), TRIALS):
                self._try(placements)
        return self.best

    def _all_options(self) -> list[list[list[Placement]]] | None:
        """The ways to send each group, or None when they make more than `OPTIONS` plans."""
        options: list[list[list[Placement]]] = []
        for group in self.groups:
            most = OPTIONS // prod(len(ways) for ways in options)
            options.append(list(islice(group.ways(), most + 1)))
            if len(options[-1]) > most:
                return None
        return options

    def _cost(self, placements: Sequence[Placement]) -> tuple[int, int]:
        moved = sum(group.moved_in([placements[i] for i in group.members]) for group in self.groups)
        return (sum(self.parcels(load) for load in _loads(placements).values()), moved)

    def _try(self, placements: list[Placement]) -> None:
        if (cost := self._cost(placements)) < self.least:
            self.best, self.least = placements, cost

    def _neighbours(self) -> Iterator[list[Placement]]:
        """The plans that differ from the best so far in one group: a few other ways for each group in turn, the
        preferred first."""
        for group in self.groups:
            for way in islice(group.ways(), WAYS):
                placements = list(self.best)
                for i, placement in zip(group.members, way, strict=True):
                    placements[i] = placement
                if placements != self.best:
                    yield placements
