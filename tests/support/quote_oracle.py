"""Exact answers by brute force, written from RULES §4 alone and sharing no code with what they check."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product as cartesian

Size = tuple[int, ...]


def fewest_parcels(pieces: Sequence[Size], caps: Size) -> int:
    """The least number of parcels for pieces that each fit alone: over all subsets, by dynamic
    programming."""
    n = len(pieces)
    totals = [(0,) * len(caps)] * (1 << n)
    for mask in range(1, 1 << n):
        low = (mask & -mask).bit_length() - 1
        totals[mask] = tuple(a + b for a, b in zip(totals[mask & (mask - 1)], pieces[low], strict=True))
    fits = [all(a <= b for a, b in zip(total, caps, strict=True)) for total in totals]

    @cache
    def least(mask: int) -> int:
        if fits[mask]:
            return int(mask > 0)
        lowest, best = mask & -mask, n
        rest = mask ^ lowest
        sub = rest
        while True:  # each subset that goes with the lowest piece
            if fits[sub | lowest]:
                best = min(best, 1 + least(rest ^ sub))
            if sub == 0:
                return best
            sub = (sub - 1) & rest

    return least((1 << n) - 1)


def parcels_of(counts: Sequence[tuple[Size, int]], caps: Size) -> int:
    """Of some pieces, of which those over a cap lie alone."""
    if not caps:
        return 1
    pieces = [size for size, count in counts for _ in range(count)]
    over = [size for size in pieces if any(s > cap for s, cap in zip(size, caps, strict=True))]
    fitting = [size for size in pieces if size not in over]
    return len(over) + (fewest_parcels(fitting, caps) if fitting else 0)


def _spreads(quantity: int, stock: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """What each warehouse sends: all of it from one that has enough, any mixture when none has."""
    whole = [w for w, have in enumerate(stock) if have >= quantity]
    if whole:
        yield from (tuple(quantity if w == home else 0 for w in range(len(stock))) for home in whole)
        return
    yield from (way for way in cartesian(*(range(have + 1) for have in stock)) if sum(way) == quantity)


def fewest_sub_orders(
    demands: Sequence[tuple[int, Size, int | None]], stocks: Sequence[Sequence[int]], caps: Size
) -> tuple[int, int]:
    """Over every plan: the fewest sub-orders, then the fewest pieces moved. One SKU to a line, enough of each
    in all.

    A demand is (quantity, size of a piece, preferred warehouse); `stocks[w][i]` is what warehouse w has for
    line i."""
    ways = [list(_spreads(quantity, [stock[i] for stock in stocks])) for i, (quantity, _, _) in enumerate(demands)]
    best = (10**9, 0)
    packed: dict[tuple[int, ...], int] = {}
    for plan in cartesian(*ways):
        count = moved = 0
        for w in range(len(stocks)):
            load = tuple(way[w] for way in plan)
            if load not in packed:
                packed[load] = (
                    parcels_of([(d[1], n) for d, n in zip(demands, load, strict=True)], caps) if any(load) else 0
                )
            count += packed[load]
        for (quantity, _, preferred), way in zip(demands, plan, strict=True):
            moved += 0 if preferred is None else quantity - way[preferred]
        best = min(best, (count, moved))
    return best
