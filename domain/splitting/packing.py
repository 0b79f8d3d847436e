"""Parcels (包裹): as few as possible under a carrier's limits of weight, volume and declared value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from domain.base import Document
from domain.order.product import Product

MAX_PARCELS = 99
EXACT_UP_TO = 12
"""The number of pieces up to which packing is exact. Beyond, it is first-fit decreasing, which in one dimension never
takes more than 11/9 of the fewest parcels, plus one."""

Limit = Annotated[int, Field(ge=1, le=10**12)]
Sizes = tuple[int, ...]


class ParcelLimit(Document):
    """What one parcel may hold at most; null means no limit. The declared value (保价) is the list price."""

    weight_g: Limit | None = None
    volume_cm3: Limit | None = None
    value_fen: Limit | None = None

    @property
    def caps(self) -> Sizes:
        """The limits that are set."""
        return tuple(limit for limit in self._all() if limit is not None)

    def sizes(self, product: Product) -> Sizes:
        """How much of each limit that is set one piece takes up, in the order of `caps`."""
        takes = (product.weight_g, product.volume_cm3, product.price_fen)
        return tuple(size for size, limit in zip(takes, self._all(), strict=True) if limit is not None)

    def _all(self) -> tuple[int | None, ...]:
        return (self.weight_g, self.volume_cm3, self.value_fen)


class TooManyParcels(ValueError):
    """Raised when the goods need more parcels than an order may have sub-orders; the order is then refused."""


@dataclass(slots=True)
class Parcel:
    """How many pieces of each stack (by its index) are in one parcel. A piece that is too big for any parcel is alone
    in an `oversize` one."""

    pieces: dict[int, int] = field(default_factory=dict)
    oversize: bool = False


def pack(stacks: Sequence[tuple[Sizes, int]], caps: Sizes) -> list[Parcel]:
    """Pack stacks of equal pieces (their sizes, their count) into as few parcels as possible, each within all the
    caps. Raises TooManyParcels."""
    if not caps:
        return [Parcel({i: count for i, (_, count) in enumerate(stacks)})]
    big = [i for i, (sizes, _) in enumerate(stacks) if any(s > cap for s, cap in zip(sizes, caps, strict=True))]
    if sum(stacks[i][1] for i in big) > MAX_PARCELS:
        raise TooManyParcels
    alone = [Parcel({i: 1}, oversize=True) for i in big for _ in range(stacks[i][1])]
    rest = [i for i in range(len(stacks)) if i not in set(big)]
    packed = _pack_fitting([stacks[i] for i in rest], caps)
    parcels = [Parcel({rest[i]: count for i, count in parcel.items()}) for parcel in packed]
    # The parcel with the first line comes first.
    return sorted(parcels + alone, key=lambda parcel: sorted(parcel.pieces.items()))


_Packed = list[dict[int, int]]


def _pack_fitting(stacks: Sequence[tuple[Sizes, int]], caps: Sizes) -> _Packed:
    # In one dimension there is only one order; in several, another order sometimes saves a parcel.
    best = min((_first_fit(stacks, order, caps) for order in _orders(stacks, caps)), key=len)
    pieces = sum(count for _, count in stacks)
    if pieces <= EXACT_UP_TO and len(best) > _at_least(stacks, caps):
        best = _Exact(stacks, caps, best).search()
    return best


def _at_least(stacks: Sequence[tuple[Sizes, int]], caps: Sizes) -> int:
    totals = [sum(sizes[d] * count for sizes, count in stacks) for d in range(len(caps))]
    return max(1, *(-(-total // cap) for total, cap in zip(totals, caps, strict=True)))


def _orders(stacks: Sequence[tuple[Sizes, int]], caps: Sizes) -> Iterator[list[int]]:
    """The orders to pack the stacks in, biggest first: by the dimension that a piece fills most and, if there are
    several, also by the sum of all and by each of them."""
    filled = [[s / cap for s, cap in zip(sizes, caps, strict=True)] for sizes, _ in stacks]
    yield sorted(range(len(stacks)), key=lambda i: -max(filled[i]))
    if len(caps) > 1:
        yield sorted(range(len(stacks)), key=lambda i: -sum(filled[i]))
        for d in range(len(caps)):
            yield sorted(range(len(stacks)), key=lambda i: -filled[i][d])


def _first_fit(stacks: Sequence[tuple[Sizes, int]], order: Sequence[int], caps: Sizes) -> _Packed:
    parcels: _Packed = []
    free: list[list[int]] = []
    for i in order:
        sizes, count = stacks[i]
        at = 0
        while count:
            if at == len(parcels):
                if at == MAX_PARCELS:
                    raise TooManyParcels
                parcels.append({})
                free.append(list(caps))
            fits = min([count] + [room // s for room, s in zip(free[at], sizes, strict=True) if s])
            if fits:
                parcels[at][i] = fits
                free[at] = [room - fits * s for room, s in zip(free[at], sizes, strict=True)]
                count -= fits
            at += 1
    return parcels


class _Exact:
    """The exact search: depth first over the pieces, biggest first, each put into every different parcel that has
    room, or into a new one."""

    def __init__(self, stacks: Sequence[tuple[Sizes, int]], caps: Sizes, best: _Packed) -> None:
        order = next(_orders(stacks, caps))
        self.pieces = [i for i in order for _ in range(stacks[i][1])]
        self.sizes = [stacks[i][0] for i in self.pieces]
        self.caps = caps
        self.best = best
        self.goal = _at_least(stacks, caps)
        self.free: list[Sizes] = []
        self.held: list[list[int]] = []
        self.rest = [
            tuple(sum(s[d] for s in self.sizes[i:]) for d in range(len(caps))) for i in range(len(self.pieces) + 1)
        ]

    def search(self) -> _Packed:
        self._place(0, 0)
        return self.best

    def _place(self, i: int, start: int) -> None:
        if i == len(self.pieces):
            self.best = [{k: held.count(k) for k in held} for held in self.held]
            return
        seen: set[Sizes] = set()
        for at in range(start, len(self.free) + 1):
            if len(self.best) == self.goal or self._hopeless(i, at):
                return
            room = self.free[at] if at < len(self.free) else self.caps
            if room not in seen and all(r >= s for r, s in zip(room, self.sizes[i], strict=True)):
                seen.add(room)
                self._into(i, at, room)

    def _into(self, i: int, at: int, room: Sizes) -> None:
        new = at == len(self.free)
        if new:
            self.free.append(room)
            self.held.append([])
        self.free[at] = tuple(r - s for r, s in zip(room, self.sizes[i], strict=True))
        self.held[at].append(self.pieces[i])
        same = i + 1 < len(self.pieces) and self.pieces[i + 1] == self.pieces[i]
        self._place(i + 1, at if same else 0)  # equal pieces go into rising parcels, so no arrangement comes twice
        self.held[at].pop()
        self.free[at] = room
        if new:
            self.free.pop()
            self.held.pop()

    def _hopeless(self, i: int, at: int) -> bool:
        """Whether what is left can't be packed into fewer parcels than the best found."""
        most = len(self.best) - 1
        if len(self.free) > most or (at == len(self.free) and at == most):
            return True
        spare = [sum(room[d] for room in self.free) for d in range(len(self.caps))]
        return any(
            rest > room + (most - len(self.free)) * cap
            for rest, room, cap in zip(self.rest[i], spare, self.caps, strict=True)
        )
