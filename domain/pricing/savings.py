"""What one promotion would take off one set of lines, before it is known whether it wins."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from domain.apportion import apportion
from domain.pricing.promotion import AmountOff, BundlePrice, Discount, ItemPrice, PercentOff, PromotionBase


@dataclass(frozen=True, slots=True)
class Eligible:
    """The lines in a promotion's scope, in the order of their numbers.

    `worth` is what thresholds and percentages are taken of: list prices at ITEM, then what earlier levels
    left (PROGRESSIVE) or the base (PARALLEL). `room` is what each line still has to pay."""

    worth: Sequence[int]
    room: Sequence[int]
    pieces: Sequence[int]


def times_reached(promotion: PromotionBase, lines: Eligible) -> int:
    """How many times the eligible lines reach the threshold; 1 if there is no threshold."""
    if promotion.threshold_pieces is not None:
        return sum(lines.pieces) // promotion.threshold_pieces
    if promotion.threshold_fen:
        return sum(lines.worth) // promotion.threshold_fen
    return 1


def saves(promotion: Discount, lines: Eligible) -> list[int] | None:
    """What each line would save, in fen and never more than it has to pay; None when the threshold is not reached."""
    times = times_reached(promotion, lines)
    if times == 0:
        return None
    match promotion:
        case ItemPrice():
            return _item_price(promotion, lines)
        case AmountOff():
            off = promotion.off_fen * (times if promotion.repeat else 1)
            return apportion(_capped(promotion, off), lines.worth, lines.room)
        case PercentOff():
            # Rounded half up once, on the whole: rounded per line, the odd fen would add up.
            off = (sum(lines.worth) * promotion.percent_off + 50) // 100
            return apportion(_capped(promotion, off), lines.worth, lines.room)
        case BundlePrice():
            return _bundles(promotion, lines)


def _capped(promotion: Discount, off: int) -> int:
    return off if promotion.max_off_fen is None else min(off, promotion.max_off_fen)


def _item_price(promotion: ItemPrice, lines: Eligible) -> list[int]:
    own = [
        max(0, worth - promotion.price_fen * pieces) for worth, pieces in zip(lines.worth, lines.pieces, strict=True)
    ]
    return apportion(_capped(promotion, sum(own)), own)


def _bundles(promotion: BundlePrice, lines: Eligible) -> list[int] | None:
    """What each line saves by bundles: the dearest pieces first, and as many full bundles as save anything. Each bundle
    is worth no more than the one before it, so the ones that save come first."""
    if sum(lines.pieces) < promotion.pieces:
        return None  # too few pieces is a threshold that is not reached
    runs = _by_price(lines)
    ends = [0, *accumulate(pieces for _, _, pieces in runs)]
    worths = [0, *accumulate(price * pieces for price, _, pieces in runs)]

    def bundle(number: int) -> int:
        """What the pieces of one bundle are worth."""
        first, last = (number - 1) * promotion.pieces, number * promotion.pieces
        return _dearest(runs, ends, worths, last) - _dearest(runs, ends, worths, first)

    most = sum(lines.pieces) // promotion.pieces
    saving = bisect_left(range(1, most + 1), True, key=lambda number: bundle(number) <= promotion.price_fen)
    bundled = _worth_by_line(runs, saving * promotion.pieces, len(lines.worth))
    return apportion(_capped(promotion, sum(bundled) - saving * promotion.price_fen), bundled, lines.room)


_Run = tuple[int, int, int]  # price of a piece, index of its line, number of such pieces


def _by_price(lines: Eligible) -> list[_Run]:
    runs: list[_Run] = []
    for index, (worth, pieces) in enumerate(zip(lines.worth, lines.pieces, strict=True)):
        price, odd = divmod(worth, pieces)  # the units of a line differ by a fen at most
        runs += [(price + 1, index, odd), (price, index, pieces - odd)]
    return sorted(runs, key=lambda run: (-run[0], run[1]))


def _dearest(runs: Sequence[_Run], ends: Sequence[int], worths: Sequence[int], count: int) -> int:
    """What the `count` dearest pieces are worth."""
    run = bisect_right(ends, count) - 1
    return worths[run] + (runs[run][0] * (count - ends[run]) if run < len(runs) else 0)


def _worth_by_line(runs: Sequence[_Run], count: int, lines: int) -> list[int]:
    worth = [0] * lines
    for price, index, pieces in runs:
        taken = min(pieces, count)
        worth[index] += price * taken
        count -= taken
    return worth
