"""What a refund (退款) pays back: the worth of the next units, as they were paid for, whatever went back
before.

A `Claim` is what one refund takes from: a line before the split, a sub-order's range of its units after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.apportion import slice_worth
from domain.pricing.priced import GivenGift, PricedLine
from domain.pricing.promotion import Funder


@dataclass(frozen=True, slots=True)
class Claim:
    """The units `first` to `last` of a line, of which the first `refunded` have gone back already."""

    line: PricedLine
    first: int
    last: int
    refunded: int = 0

    @classmethod
    def whole(cls, line: PricedLine) -> "Claim":
        """The claim on a line that is not split."""
        return cls(line, 1, line.quantity)

    @property
    def left(self) -> int:
        """How many pieces can still go back."""
        return self.last - self.first + 1 - self.refunded


@dataclass(frozen=True, slots=True)
class LineRefund:
    """The units that go back, what is paid for them, and whose discount on them is reversed."""

    line_no: int
    first: int
    last: int
    amount_fen: int
    funding: Mapping[Funder, int]


class MoreThanIsLeft(ValueError):
    """A refund asks for more pieces than can still go back."""


def refund_units(claim: Claim, pieces: int) -> tuple[LineRefund, Claim]:
    """Refund the next units of a claim; the answer holds the claim that is left."""
    if not 1 <= pieces <= claim.left:
        raise MoreThanIsLeft(f"{pieces} pieces of line {claim.line.line_no}, of which {claim.left} are left")
    first = claim.first + claim.refunded
    last = first + pieces - 1
    line = claim.line
    refund = LineRefund(
        line.line_no,
        first,
        last,
        slice_worth(line.pay_fen, line.quantity, first, last),
        _reversed(line, first, last),
    )
    return refund, Claim(line, claim.first, claim.last, claim.refunded + pieces)


def _reversed(line: PricedLine, first: int, last: int) -> dict[Funder, int]:
    return {
        funder: sum(slice_worth(share.funding[funder], line.quantity, first, last) for share in line.shares)
        for funder in Funder
    }


@dataclass(frozen=True, slots=True)
class KeptGift:
    """A gift that should come back and can't: its value is taken off. Said before the buyer agrees to the
    refund."""

    gift: GivenGift
    value_fen: int


@dataclass(frozen=True, slots=True)
class OrderRefund:
    """One refund of an order that has not shipped: `amount_fen` is paid back, `left_fen` of the amount due
    stays paid."""

    lines: Sequence[LineRefund]
    shipping_fen: int
    gifts_back: Sequence[GivenGift]
    gifts_kept: Sequence[KeptGift]
    amount_fen: int
    left_fen: int


class OrderRefunds:
    """The successive refunds of an order before shipping."""

    def __init__(self, lines: Sequence[PricedLine], gifts: Sequence[GivenGift], shipping_fen: int) -> None:
        self._claims = {line.line_no: Claim.whole(line) for line in lines}
        self._gifts = list(gifts)
        self._shipping_fen = shipping_fen
        self._covered = [line.line_no for line in lines if line.is_physical] or list(self._claims)
        self._left_fen = sum(line.pay_fen for line in lines) + shipping_fen
        self._owed_fen = 0  # value of kept gifts that no refund was large enough for yet

    def refund(self, wanted: Sequence[tuple[int, int]]) -> OrderRefund:
        """Refund so many pieces of these lines; all of it or, with an exception, nothing."""
        claims = dict(self._claims)
        lines = []
        for line_no, pieces in wanted:
            refund, claims[line_no] = refund_units(claims[line_no], pieces)
            lines.append(refund)
        self._claims = claims
        shipping = self._shipping_back()
        back, kept = self._gifts_due()
        gross = sum(line.amount_fen for line in lines) + shipping
        self._owed_fen += sum(gift.value_fen for gift in kept)
        amount = gross - min(gross, self._owed_fen)
        self._owed_fen -= gross - amount
        self._left_fen -= amount
        return OrderRefund(lines, shipping, back, kept, amount, self._left_fen)

    def _shipping_back(self) -> int:
        """With the last piece that it covered, and once."""
        if any(self._claims[line_no].left for line_no in self._covered):
            return 0
        shipping, self._shipping_fen = self._shipping_fen, 0
        return shipping

    def _gifts_due(self) -> tuple[list[GivenGift], list[KeptGift]]:
        """A gift goes back with the last piece of the lines it was given for: as with shares, nothing is
        re-tested."""
        due = [gift for gift in self._gifts if not any(self._claims[line_no].left for line_no in gift.given_for)]
        self._gifts = [gift for gift in self._gifts if gift not in due]
        return [g for g in due if g.returnable], [KeptGift(g, g.value_fen) for g in due if not g.returnable]
