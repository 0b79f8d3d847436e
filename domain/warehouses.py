"""Which warehouse (仓库) sends what: as few as possible, then as few pieces as possible from another than preferred.

Exact while the search stays within `NODES`; beyond, the best plan found by then, which starts from a greedy cover.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations

from domain.stock_groups import Demand, Placement, StockGroup, grouped

NODES = 4_000
OPTIONS = 3_000
"""Plans tried one by one when the parcel limit makes the sub-orders of a plan differ from its warehouses."""

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
    if everything and len(_loads(placements)) > 1 and parcels(everything) > 1:
        placements = _fewest_parcels(groups, placements, parcels, len(demands))
    return WarehousePlan(placements, missing)


class _Cover:
    """The smallest set of warehouses that has everything: branch on the demand with the fewest ways out."""

    def __init__(self, groups: Sequence[StockGroup], warehouses: int) -> None:
        # Demands with the same ways out are one, as far as the number of warehouses goes.
        self.groups = groups
        self.needs = list({group.signature: group for group in groups}.values())
        self.warehouses = warehouses
        self.nodes = NODES
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
            chosen |= 1 << max(
                range(self.warehouses), key=lambda w: (sum(n.gains(chosen, w) for n in open_), -w)
            )
        for w in reversed(range(self.warehouses)):
            if all(need.suffices(chosen & ~(1 << w)) for need in self.needs):
                chosen &= ~(1 << w)
        return chosen

    def _branch(self, chosen: int, banned: int) -> None:
        self.nodes -= 1
        open_ = [need for need in self.needs if not need.suffices(chosen)]
        if not open_:
            self.best = min(self.best, self._rated(chosen))
            return
        least = chosen.bit_count() + _disjoint(open_, banned)
        if self.nodes <= 0 or least > self.best[0] or (least == self.best[0] and self.best[1] == 0):
            return
        if not all(need.suffices(~banned) for need in open_):
            return
        tightest = min(open_, key=lambda need: (need.useful & ~banned & ~chosen).bit_count())
        for w in range(self.warehouses):
            if (tightest.useful & ~banned & ~chosen) >> w & 1:
                self._branch(chosen | 1 << w, banned)
                banned |= 1 << w  # every set with it has been seen


def _disjoint(needs: Sequence[StockGroup], banned: int) -> int:
    """Needs with no warehouse in common want one each: a lower bound."""
    taken = count = 0
    for need in sorted(needs, key=lambda need: (need.useful & ~banned).bit_count()):
        if not need.useful & ~banned & taken:
            taken |= need.useful & ~banned
            count += 1
    return count


def _joined(
    groups: Sequence[StockGroup], filled: Sequence[Sequence[Placement]], count: int
) -> list[Placement]:
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


def _fewest_parcels(
    groups: Sequence[StockGroup], found: list[Placement], parcels: CountParcels, count: int
) -> list[Placement]:
    """Try every plan of a small order: which warehouse sends a line can decide how many parcels there are."""

    def cost(placements: Sequence[Placement]) -> tuple[int, int]:
        moved = sum(group.moved_in([placements[i] for i in group.members]) for group in groups)
        return (sum(parcels(load) for load in _loads(placements).values()), moved)

    best, least = found, cost(found)
    for filled in _every_plan(groups):
        placements = _joined(groups, filled, count)
        if (price := cost(placements)) < least:
            best, least = placements, price
    return best


def _every_plan(groups: Sequence[StockGroup]) -> Iterator[Sequence[Sequence[Placement]]]:
    options = []
    total = 1
    for group in groups:
        options.append(group.options(OPTIONS))
        total *= len(options[-1])
        if total > OPTIONS or total == 0:
            return
    yield from combinations(*options)
