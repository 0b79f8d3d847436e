"""A priced cart: what each line pays, what each promotion took off it, who funds that, and why that one won."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.order.product import Product
from domain.pricing.competition import WhyNotApplied
from domain.pricing.promotion import Funder, Level


@dataclass(frozen=True, slots=True)
class Share:
    """What one promotion takes off one line, and who pays for it. It is stored once, at placement."""

    promotion_id: str
    amount_fen: int
    funding: Mapping[Funder, int]


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its shares of every discount; `pay_fen` is what the buyer pays for it."""

    line_no: int
    quantity: int
    product: Product
    goods_fen: int
    shares: Sequence[Share]

    @property
    def pay_fen(self) -> int:
        return self.goods_fen - sum(share.amount_fen for share in self.shares)


@dataclass(frozen=True, slots=True)
class GivenGift:
    """A gift line. Its `line_no` follows the cart's last; `given_for` are the lines that reached the threshold."""

    promotion_id: str
    line_no: int
    quantity: int
    product: Product
    returnable: bool
    given_for: Sequence[int]


@dataclass(frozen=True, slots=True)
class Win:
    """Why a promotion applies: where it saves how much, and which would have been the next best."""

    promotion_id: str
    level: Level
    where: str
    saves_fen: int
    next_id: str | None = None
    next_fen: int = 0

    def __str__(self) -> str:
        saves = f"{self.where}: {self.promotion_id} saves {self.saves_fen}"
        return saves if self.next_id is None else f"{saves}, {self.next_fen} would have been the next ({self.next_id})"


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A priced cart. `lines` are in the order of their numbers, `not_applied` in the order the promotions were
    given."""

    lines: Sequence[PricedLine]
    gifts: Sequence[GivenGift]
    not_applied: Sequence[tuple[str, WhyNotApplied]]
    wins: Sequence[Win]

    @property
    def goods_fen(self) -> int:
        return sum(line.goods_fen for line in self.lines)

    @property
    def pay_fen(self) -> int:
        return sum(line.pay_fen for line in self.lines)

    def funding(self) -> dict[Funder, int]:
        """How much of the discounts each funder pays, in fen."""
        shares = [share for line in self.lines for share in line.shares]
        return {funder: sum(share.funding[funder] for share in shares) for funder in Funder}
