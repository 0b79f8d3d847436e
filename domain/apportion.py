"""Shares out whole fen so that none is lost, and values the numbered units of a line.

These two are why an order still adds up after a split and any number of refunds.
"""

from collections.abc import Sequence


def apportion(amount: int, weights: Sequence[int], rooms: Sequence[int] | None = None) -> list[int]:
    """Share `amount` in proportion to `weights` by largest remainder; ties go to the earlier one.

    No share exceeds its room (by default its weight). What is cut off there is shared out in the same way
    among those that have room; what fits nowhere is not given. So the shares add up to `amount`, or to all
    the room there is.
    """
    limits = weights if rooms is None else rooms
    if amount < 0 or min(weights, default=0) < 0 or min(limits, default=0) < 0 or len(limits) != len(weights):
        raise ValueError("amounts, weights and rooms are never negative, and there is one room for each weight")
    shares = [0] * len(weights)
    while amount > 0:
        open_ = [i for i, weight in enumerate(weights) if weight > 0 and shares[i] < limits[i]]
        if not open_:
            break
        for i, share in zip(open_, _largest_remainder(amount, [weights[i] for i in open_]), strict=True):
            fits = min(share, limits[i] - shares[i])
            shares[i] += fits
            amount -= fits
    return shares


def _largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    shares = [amount * weight // total for weight in weights]
    # `sorted` is stable: among equal remainders the earlier one comes first.
    by_remainder = sorted(range(len(weights)), key=lambda i: -(amount * weights[i] % total))
    for i in by_remainder[: amount - sum(shares)]:
        shares[i] += 1
    return shares


def unit_worth(total: int, n: int, i: int) -> int:
    """What unit `i` (from 1) of a line of `n` is worth: 1000 over 3 pieces is 333, 333, 334."""
    return slice_worth(total, n, i, i)


def slice_worth(total: int, n: int, first: int, last: int) -> int:
    """What the units `first` to `last` of a line are worth together; adjoining slices add up exactly."""
    if not 1 <= first <= last + 1 <= n + 1:
        raise ValueError(f"units {first} to {last} are not units of a line of {n}")
    return total * last // n - total * (first - 1) // n
