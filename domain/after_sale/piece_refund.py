"""What is paid back (退款) for pieces of an order: the one calculation behind every quote and every closing.

A sub-order's pieces of a line are a range of the line's numbered units, and the next ones go back first. Nothing is
priced again: the units are worth what was paid for them when the order was placed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.apportion import slice_worth
from domain.order.lines import OrderLine
from domain.order.product import DeliveryMode

Place = tuple[int, int]
"""A sub-order's index and a line's number."""


class MoreThanIsLeft(ValueError):
    """Raised when a refund asks for more pieces than can still go back. It becomes a refusal."""


@dataclass(frozen=True, slots=True)
class LinePart:
    """The units `first` to `last` of a line, in one sub-order; the first `refunded` of them have gone back."""

    idx: int
    line: OrderLine
    first: int
    last: int
    refunded: int
    shipped: bool

    @property
    def place(self) -> Place:
        return self.idx, self.line.line_no

    @property
    def left(self) -> int:
        """How many pieces can still go back."""
        return self.last - self.first + 1 - self.refunded

    @property
    def rest(self) -> "Units":
        """All that has not gone back."""
        return Units(self, self.first + self.refunded, self.last)

    def next(self, pieces: int) -> "Units":
        """The next pieces to go back. Raises MoreThanIsLeft."""
        if not 1 <= pieces <= self.left:
            raise MoreThanIsLeft(f"{pieces} pieces of line {self.line.line_no}, of which {self.left} are left")
        return Units(self, self.first + self.refunded, self.first + self.refunded + pieces - 1)


@dataclass(frozen=True, slots=True)
class Units:
    """Units of a line in one sub-order: what was paid for them, and the discounts on them by who funded them."""

    part: LinePart
    first: int
    last: int

    @property
    def pieces(self) -> int:
        return self.last - self.first + 1

    @property
    def pay_fen(self) -> int:
        return self._worth(self.part.line.pay_fen)

    @property
    def merchant_fen(self) -> int:
        return sum(self._worth(share.merchant_fen) for share in self.part.line.shares)

    @property
    def platform_fen(self) -> int:
        return sum(self._worth(share.platform_fen) for share in self.part.line.shares)

    def _worth(self, fen: int) -> int:
        return slice_worth(fen, self.part.line.quantity, self.first, self.last)


@dataclass(frozen=True, slots=True)
class GiftDue:
    """Pieces of a gift that are with the buyer, though all that it was given for has gone back."""

    line: OrderLine
    pieces: int

    @property
    def value_fen(self) -> int:
        return self.line.unit_price_fen * self.pieces


@dataclass(frozen=True, slots=True)
class SubOrderRefund:
    """What is paid back of one sub-order. `withheld_fen` is taken off, of the goods first. `emptied`: nothing is left
    of it, and it has not shipped."""

    idx: int
    units: Sequence[Units]
    shipping_fen: int
    withheld_fen: int
    emptied: bool

    @property
    def shipped(self) -> bool:
        return self.units[0].part.shipped

    @property
    def worth_fen(self) -> int:
        """What was paid for the units."""
        return sum(units.pay_fen for units in self.units)

    @property
    def goods_fen(self) -> int:
        """What is paid back for the goods."""
        return max(self.worth_fen - self.withheld_fen, 0)

    @property
    def amount_fen(self) -> int:
        return self.worth_fen + self.shipping_fen - self.withheld_fen


@dataclass(frozen=True, slots=True)
class PiecesRefund:
    """One refund of an order. `coupons`: with it, all that was bought has gone back, and the order's coupons go too."""

    sub_orders: Sequence[SubOrderRefund]
    gifts_to_return: Sequence[GiftDue]
    gifts_kept: Sequence[GiftDue]
    coupons: bool

    @property
    def amount_fen(self) -> int:
        return sum(sub_order.amount_fen for sub_order in self.sub_orders)

    @property
    def worth_fen(self) -> int:
        return sum(sub_order.worth_fen for sub_order in self.sub_orders)

    @property
    def shipping_fen(self) -> int:
        return sum(sub_order.shipping_fen for sub_order in self.sub_orders)

    @property
    def withheld_fen(self) -> int:
        return sum(sub_order.withheld_fen for sub_order in self.sub_orders)

    @property
    def units(self) -> list[Units]:
        return [units for sub_order in self.sub_orders for units in sub_order.units]


@dataclass(frozen=True, slots=True)
class OrderPieces:
    """All pieces of an order by sub-order and line, gone or not, and the shipping of its sub-orders.

    `gifts_kept` are the lines of gifts whose value earlier refunds took off; `to_withhold_fen` is what of it no
    refund was large enough for yet."""

    parts: Sequence[LinePart]
    shipping_of: Mapping[int, int]
    gifts_kept: Collection[int] = ()
    to_withhold_fen: int = 0

    @property
    def left(self) -> dict[Place, int]:
        """All that can still go back."""
        return {part.place: part.left for part in self.parts if part.left}

    def refund(
        self, wanted: Mapping[Place, int], gifts_back: Collection[int] = (), *, gifts_may_follow: bool = True
    ) -> PiecesRefund:
        """What is paid back for these pieces, all or (MoreThanIsLeft) none, with the gifts given for nothing else.

        A gift that has not shipped goes back with them, as do those of `gifts_back`. One that has can't, or did not
        come: its value is taken off. With `gifts_may_follow` only that of gifts which can't come back ever."""
        pieces = dict(wanted)
        due = self._gifts_due(pieces)
        for part in due:
            if not part.shipped or part.line.line_no in gifts_back:
                pieces[part.place] = part.left
        units = self._units(pieces)
        out = _by_line([part for part in due if part.place not in pieces])
        kept = [gift for gift in out if not (gifts_may_follow and gift.line.gift and gift.line.gift.returnable)]
        to_withhold_fen = self.to_withhold_fen + sum(gift.value_fen for gift in kept)
        return PiecesRefund(
            sub_orders=list(self._by_sub_order(units, to_withhold_fen)),
            gifts_to_return=[gift for gift in out if gift not in kept],
            gifts_kept=kept,
            coupons=self._ends_it(pieces),
        )

    def after(self, refund: PiecesRefund) -> "OrderPieces":
        """The order's pieces once this refund is made."""
        gone = {units.part.place: units.pieces for units in refund.units}
        kept = {gift.line.line_no for gift in refund.gifts_kept}
        taken_off = sum(gift.value_fen for gift in refund.gifts_kept)
        return replace(
            self,
            parts=[
                replace(part, refunded=part.refunded + gone[part.place]) if part.place in gone else part
                for part in self.parts
            ],
            gifts_kept={*self.gifts_kept, *kept},
            to_withhold_fen=self.to_withhold_fen + taken_off - refund.withheld_fen,
        )

    def _units(self, pieces: Mapping[Place, int]) -> list[Units]:
        known = {part.place: part for part in self.parts}
        for place in pieces:
            if place not in known:
                raise MoreThanIsLeft(f"line {place[1]} is not in this sub-order")
        return [part.next(pieces[part.place]) for part in self.parts if part.place in pieces]

    def _gifts_due(self, pieces: Mapping[Place, int]) -> list[LinePart]:
        """The parts of gifts of which nothing that they were given for is left. As with shares, nothing is
        re-tested: only then."""
        live = {part.line.line_no for part in self.parts if part.left > pieces.get(part.place, 0)}
        return [
            part
            for part in self.parts
            if part.line.gift is not None
            and part.left
            and part.place not in pieces
            and part.line.line_no not in self.gifts_kept
            and not live & set(part.line.gift.given_for)
        ]

    def _by_sub_order(self, units: Sequence[Units], to_withhold_fen: int) -> Iterator[SubOrderRefund]:
        for idx in sorted({one.part.idx for one in units}):
            mine = [one for one in units if one.part.idx == idx]
            gone = {one.part.place: one.pieces for one in mine}
            parts = [part for part in self.parts if part.idx == idx]
            emptied = not parts[0].shipped and all(part.left == gone.get(part.place, 0) for part in parts)
            shipping = self.shipping_of[idx] if emptied else 0
            withheld = min(sum(one.pay_fen for one in mine) + shipping, to_withhold_fen)
            to_withhold_fen -= withheld
            yield SubOrderRefund(idx, mine, shipping, withheld, emptied)

    def _ends_it(self, pieces: Mapping[Place, int]) -> bool:
        bought = [part for part in self.parts if part.line.gift is None]
        return any(part.place in pieces for part in bought) and all(
            part.left == pieces.get(part.place, 0) for part in bought
        )


def _by_line(parts: Sequence[LinePart]) -> list[GiftDue]:
    """The gifts of these parts, one for each line: a gift may be with the buyer in two parcels."""
    lines = {part.line.line_no: part.line for part in parts}
    return [
        GiftDue(line, sum(part.left for part in parts if part.line.line_no == line_no))
        for line_no, line in lines.items()
    ]


def before_split(lines: Sequence[OrderLine], closed: Collection[int], shipping_fen: int) -> OrderPieces:
    """The pieces of an order that is not split yet, of which these lines are closed.

    They lie as in two sub-orders: what the shipping covers, which are the physical lines (all, where none is), and
    the rest. So the shipping is paid back with the last piece that it covers."""
    covered = {line.line_no for line in lines if line.delivery_mode is DeliveryMode.PHYSICAL}
    covered = covered or {line.line_no for line in lines}
    parts = [
        LinePart(
            idx=_COVERED if line.line_no in covered else _NOT_COVERED,
            line=line,
            first=1,
            last=line.quantity,
            refunded=line.quantity if line.line_no in closed else 0,
            shipped=False,
        )
        for line in lines
    ]
    return OrderPieces(sorted(parts, key=lambda part: part.place), {_COVERED: shipping_fen, _NOT_COVERED: 0})


_COVERED, _NOT_COVERED = 1, 2  # by the shipping of an order before its split
