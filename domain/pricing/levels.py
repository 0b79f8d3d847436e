"""What an order costs: the five levels one after another, and for every promotion why it did or did not apply.

It is pure: the same cart, catalog, promotions and time give the same price, in a quote and at placement alike.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.apportion import apportion
from domain.order.cart import PricingMode
from domain.order.product import EPOCH, Product
from domain.pricing.competition import Award, Contest, LevelResult, WhyNotApplied, one_for_all, one_per_line
from domain.pricing.priced import GivenGift, PricedCart, PricedLine, Share, Win
from domain.pricing.promotion import (
    COUPON_LEVELS,
    MERCHANT_LEVELS,
    Funder,
    Gift,
    ItemPrice,
    Level,
    Promotion,
)
from domain.pricing.savings import Eligible


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a cart: what the buyer wants, and its product as it is on sale now."""

    line_no: int
    quantity: int
    product: Product


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The circumstances that a cart is priced under: mode, time, the buyer's tier and the coupons' promotions."""

    mode: PricingMode = PricingMode.PARALLEL
    at: datetime = EPOCH
    tier: str | None = None
    coupons: Collection[str] = ()


def price(
    cart: Iterable[Wanted],
    promotions: Sequence[Promotion],
    now: Circumstances,
    catalog: Mapping[str, Product] | None = None,
) -> PricedCart:
    """Price a cart. `catalog` need only hold the gifts of the promotions."""
    return _Till(sorted(cart, key=lambda line: line.line_no), promotions, now, catalog or {}).ring_up()


def void(promotion: Promotion, now: Circumstances) -> WhyNotApplied | None:
    """Why a promotion can't apply, whatever is in the cart; None if it can."""
    if promotion.issued_under not in (None, now.mode):
        # Otherwise switching the platform's mode would give away more than the merchant agreed to.
        return WhyNotApplied.ISSUED_UNDER_OTHER_MODE
    if promotion.starts_at is not None and now.at < promotion.starts_at:
        return WhyNotApplied.NOT_STARTED
    if promotion.ends_at is not None and now.at >= promotion.ends_at:
        return WhyNotApplied.EXPIRED
    if promotion.level in COUPON_LEVELS and promotion.promotion_id not in now.coupons:
        return WhyNotApplied.COUPON_NOT_NAMED
    if isinstance(promotion, ItemPrice) and promotion.tier not in (None, now.tier):
        return WhyNotApplied.OTHER_TIER
    return None


@dataclass
class _Till:
    wanted: Sequence[Wanted]
    promotions: Sequence[Promotion]
    now: Circumstances
    catalog: Mapping[str, Product]
    gifts: list[GivenGift] = field(default_factory=list)
    wins: list[Win] = field(default_factory=list)
    fates: dict[str, list[WhyNotApplied | None]] = field(default_factory=dict)  # in each contest; None: it applied

    def __post_init__(self) -> None:
        self.goods = [line.product.price_fen * line.quantity for line in self.wanted]
        self.base = self.goods  # what the lines cost after ITEM
        self.left = list(self.goods)
        self.shares: list[list[Share]] = [[] for _ in self.wanted]

    def ring_up(self) -> PricedCart:
        for level in Level:
            self._apply(level)
            if level is Level.ITEM:
                self.base = list(self.left)
        lines = [
            PricedLine(line.line_no, line.quantity, line.product, goods, tuple(shares))
            for line, goods, shares in zip(self.wanted, self.goods, self.shares, strict=True)
        ]
        return PricedCart(lines, self.gifts, self._not_applied(), self.wins)

    def _apply(self, level: Level) -> None:
        live: list[tuple[Promotion, list[int]]] = []
        for promotion in self.promotions:
            if promotion.level is level and (scope := self._scope(promotion)):
                reason = void(promotion, self.now)
                self.fates[promotion.promotion_id] = [] if reason is None else [reason]
                live += [(promotion, scope)] if reason is None else []
        contest_of = self._contest(level)
        for where, unit in self._units(level):
            entries = [(p, mine) for p, scope in live if (mine := [i for i in scope if i in unit])]
            contest = contest_of(entries)
            self._record(one_per_line(contest) if level is Level.ITEM else one_for_all(contest), where)

    def _scope(self, promotion: Promotion) -> list[int]:
        return [i for i, line in enumerate(self.wanted) if promotion.covers(line.product)]

    def _units(self, level: Level) -> Iterator[tuple[str, Collection[int]]]:
        """The parts of the cart within which the promotions of a level compete, each with its name."""
        if level not in MERCHANT_LEVELS:
            yield "the order", range(len(self.wanted))
            return
        by_merchant: dict[str, set[int]] = {}
        for i, line in enumerate(self.wanted):
            by_merchant.setdefault(line.product.merchant, set()).add(i)
        yield from by_merchant.items()

    def _contest(self, level: Level) -> "_Amounts":
        """What a level's thresholds and percentages are taken of, which is the one difference between the modes."""
        if level is Level.ITEM:
            return _Amounts(self.goods, list(self.left), self.wanted)
        progressive = self.now.mode is PricingMode.PROGRESSIVE
        return _Amounts(list(self.left) if progressive else self.base, list(self.left), self.wanted)

    def _record(self, verdict: LevelResult, where: str) -> None:
        for promotion_id, fate in verdict.fates.items():
            self.fates[promotion_id].append(fate)
        for award in verdict.awards:
            self._give(award)
            self.wins += _wins(award, where, self.wanted)
        for gift, lines in verdict.gifts:
            self.gifts.append(self._gift(gift, [self.wanted[i].line_no for i in lines]))

    def _give(self, award: Award) -> None:
        legs = _legs(award)
        for i, saved in award.savings.items():
            self.left[i] -= saved
            if saved:
                self.shares[i].append(Share(award.promotion.promotion_id, saved, legs[i]))

    def _gift(self, gift: Gift, given_for: Sequence[int]) -> GivenGift:
        last = self.gifts[-1].line_no if self.gifts else self.wanted[-1].line_no
        product = self.catalog[gift.gift_sku]
        return GivenGift(
            gift.promotion_id, last + 1, gift.gift_quantity, product, gift.gift_returnable, tuple(given_for)
        )

    def _not_applied(self) -> list[tuple[str, WhyNotApplied]]:
        fates = ((p.promotion_id, self.fates.get(p.promotion_id, [None])) for p in self.promotions)
        return [(promotion_id, _first_that_holds(found)) for promotion_id, found in fates if None not in found]


@dataclass(frozen=True, slots=True)
class _Amounts:
    """The amounts of the lines as they were when a level began."""

    worth: Sequence[int]
    room: Sequence[int]
    wanted: Sequence[Wanted]

    def of(self, lines: Sequence[int]) -> Eligible:
        return Eligible(
            [self.worth[i] for i in lines],
            [self.room[i] for i in lines],
            [self.wanted[i].quantity for i in lines],
        )

    def __call__(self, entries: Sequence[tuple[Promotion, Sequence[int]]]) -> Contest:
        discounts = [(p, lines) for p, lines in entries if not isinstance(p, Gift)]
        gifts = [(p, lines) for p, lines in entries if isinstance(p, Gift)]
        return Contest(discounts, gifts, self.of)


def _legs(award: Award) -> dict[int, dict[Funder, int]]:
    """Who pays for each line's share. The whole discount is divided between the funders once, so that rounding line by
    line favours neither."""
    shares = list(award.savings.values())
    percents = award.promotion.funding
    merchants = apportion(sum(shares), list(percents.values()), [sum(shares)] * len(percents))[0]
    return {
        i: {Funder.MERCHANT: leg, Funder.PLATFORM: share - leg}
        for (i, share), leg in zip(award.savings.items(), apportion(merchants, shares), strict=True)
    }


def _wins(award: Award, where: str, wanted: Sequence[Wanted]) -> Iterator[Win]:
    def win(place: str, saves: int, key: int | None) -> Win:
        rival = award.rivals.get(key)
        found = (None, 0) if rival is None else (rival.promotion_id, rival.saves_fen)
        return Win(award.promotion.promotion_id, award.promotion.level, place, saves, *found)

    if award.promotion.level is Level.ITEM:
        for i, saved in ((i, saved) for i, saved in award.savings.items() if saved):
            yield win(f"line {wanted[i].line_no}", saved, i)
    else:
        yield win(where, sum(award.savings.values()), None)


_ORDER = list(WhyNotApplied)


def _first_that_holds(found: Sequence[WhyNotApplied | None]) -> WhyNotApplied:
    """The reason to give of those found in several parts of the cart: where one merchant's part reached the threshold,
    the reason found there counts."""
    reasons = [reason for reason in found if reason is not None]
    reached = [reason for reason in reasons if reason is not WhyNotApplied.THRESHOLD_NOT_REACHED]
    return min(reached or reasons, key=_ORDER.index)
