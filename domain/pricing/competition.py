"""Which promotion of a level wins: the one that saves most, then the one that ends first, then the smaller id."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.pricing.promotion import Discount, Gift, PromotionBase
from domain.pricing.savings import Eligible, saves, times_reached


class WhyNotApplied(StrEnum):
    """Why a promotion did not apply. Where several reasons hold, the first in this order is given."""

    ISSUED_UNDER_OTHER_MODE = "ISSUED_UNDER_OTHER_MODE"
    NOT_STARTED = "NOT_STARTED"
    EXPIRED = "EXPIRED"
    COUPON_NOT_NAMED = "COUPON_NOT_NAMED"
    OTHER_TIER = "OTHER_TIER"
    THRESHOLD_NOT_REACHED = "THRESHOLD_NOT_REACHED"
    ANOTHER_SAVES_MORE = "ANOTHER_SAVES_MORE"
    SAVES_NOTHING = "SAVES_NOTHING"


Savings = dict[int, int]  # by the index of a line


@dataclass(frozen=True, slots=True)
class Rival:
    """The promotion that would have won instead."""

    promotion_id: str
    saves_fen: int


@dataclass(frozen=True, slots=True)
class Award:
    """A discount that applies: what it takes off each line, and its best rival on each line."""

    promotion: Discount
    savings: Savings
    rivals: dict[int | None, Rival]  # None: one rival for all the lines


@dataclass
class LevelResult:
    """Which promotions of a level won, and the fate of each of them: None if it applied, else why it did not."""

    awards: list[Award] = field(default_factory=list)
    gifts: list[tuple[Gift, Sequence[int]]] = field(default_factory=list)
    fates: dict[str, WhyNotApplied | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contest:
    """The live promotions of one level with the lines (by index) that each covers, and the amounts of those lines."""

    discounts: Sequence[tuple[Discount, Sequence[int]]]
    gifts: Sequence[tuple[Gift, Sequence[int]]]
    amounts: Callable[[Sequence[int]], Eligible]

    def savings(self, promotion: Discount, lines: Sequence[int]) -> Savings | None:
        """What a promotion would save on these lines; None when its threshold is not reached."""
        shares = saves(promotion, self.amounts(lines))
        return None if shares is None else dict(zip(lines, shares, strict=True))

    def reached(self, gift: Gift, lines: Sequence[int]) -> bool:
        """Whether these lines earn the gift."""
        return bool(lines) and times_reached(gift, self.amounts(lines)) > 0


def one_for_all(contest: Contest) -> LevelResult:
    """One discount and one gift for all the lines together."""
    verdict = LevelResult()
    offers: list[tuple[Discount, Savings]] = []
    for promotion, lines in contest.discounts:
        savings = contest.savings(promotion, lines)
        verdict.fates[promotion.promotion_id] = (
            WhyNotApplied.THRESHOLD_NOT_REACHED if savings is None else WhyNotApplied.SAVES_NOTHING
        )
        if savings is not None:
            offers.append((promotion, savings))
    offers.sort(key=lambda offer: (-sum(offer[1].values()), offer[0].precedence))
    if offers and sum(offers[0][1].values()) > 0:
        for promotion, _ in offers:
            verdict.fates[promotion.promotion_id] = WhyNotApplied.ANOTHER_SAVES_MORE
        promotion, savings = offers[0]
        verdict.fates[promotion.promotion_id] = None
        rivals: dict[int | None, Rival] = {}
        if len(offers) > 1 and any(offers[1][1].values()):
            rivals[None] = Rival(offers[1][0].promotion_id, sum(offers[1][1].values()))
        verdict.awards.append(Award(promotion, savings, rivals))
    _one_gift(contest, verdict)
    return verdict


def _one_gift(contest: Contest, verdict: LevelResult) -> None:
    earned = [(gift, lines) for gift, lines in contest.gifts if contest.reached(gift, lines)]
    for gift, _ in contest.gifts:
        verdict.fates[gift.promotion_id] = WhyNotApplied.THRESHOLD_NOT_REACHED
    for gift, _ in earned:
        verdict.fates[gift.promotion_id] = WhyNotApplied.ANOTHER_SAVES_MORE
    if earned:
        winner = min(earned, key=lambda entry: entry[0].precedence)
        verdict.fates[winner[0].promotion_id] = None
        verdict.gifts.append(winner)


def one_per_line(contest: Contest) -> LevelResult:
    """One discount and one gift for each line. A line counts only for the promotion that it takes: towards that one's
    threshold, bundle and cap. A winner that then no longer applies is out, and its lines choose again."""
    verdict = LevelResult()
    first = {p.promotion_id: contest.savings(p, lines) for p, lines in contest.discounts}
    alive = [p for p, _ in contest.discounts if any((first[p.promotion_id] or {}).values())]
    settled: dict[str, Savings] = {}
    while True:
        choices = _choose(alive, first)
        settled = {p.promotion_id: _on(contest, p, choices) for p in alive}
        failed = {id_ for id_, savings in settled.items() if not any(savings.values())}
        failed.intersection_update(p.promotion_id for p in choices.values())
        if not failed:
            break
        out = _out(failed, {id_: first[id_] or {} for id_ in failed}, choices)
        alive = [p for p in alive if p.promotion_id not in out]
    for promotion in alive:
        savings = settled[promotion.promotion_id]
        if any(savings.values()):
            verdict.awards.append(Award(promotion, savings, _rivals(promotion, savings, alive, first)))
    for promotion, lines in contest.discounts:
        verdict.fates[promotion.promotion_id] = _fate(promotion, lines, first, verdict)
    _gift_per_line(contest, verdict)
    return verdict


def _out(failed: set[str], claims: Mapping[str, Iterable[int]], choices: Mapping[int, PromotionBase]) -> set[str]:
    """The failed promotions that are out for good: those whose lines went to promotions that hold. One that lost its
    lines to another failed one gets them back when that one is out; only where such losses form a ring is one of
    them put out."""
    takers = {id_: {choices[line].promotion_id for line in claims[id_]} for id_ in failed}
    return {id_ for id_ in failed if takers[id_] & failed <= {id_}} or {max(failed)}


def _choose(alive: Sequence[Discount], first: dict[str, Savings | None]) -> dict[int, Discount]:
    choices: dict[int, tuple[int, Discount]] = {}
    for promotion in sorted(alive, key=lambda p: p.precedence):
        for line, saved in (first[promotion.promotion_id] or {}).items():
            # A line that would save 0 counts towards the threshold too.
            if saved > choices.get(line, (-1, promotion))[0]:
                choices[line] = (saved, promotion)
    return {line: promotion for line, (_, promotion) in choices.items()}


def _won(promotion: PromotionBase, choices: dict[int, Discount] | dict[int, Gift]) -> list[int]:
    return sorted(i for i, chosen in choices.items() if chosen is promotion)


def _on(contest: Contest, promotion: Discount, choices: dict[int, Discount]) -> Savings:
    lines = _won(promotion, choices)
    return (contest.savings(promotion, lines) or {}) if lines else {}


def _rivals(
    winner: Discount, lines: Iterable[int], alive: Sequence[Discount], first: dict[str, Savings | None]
) -> dict[int | None, Rival]:
    """The next best promotion on each line, among those that were not out."""
    rivals: dict[int | None, Rival] = {}
    others = [(p.promotion_id, first[p.promotion_id] or {}) for p in sorted(alive, key=lambda p: p.precedence)]
    for line in lines:
        ranked = [Rival(id_, savings.get(line, 0)) for id_, savings in others if id_ != winner.promotion_id]
        best = max(ranked, key=lambda rival: rival.saves_fen, default=None)
        if best is not None and best.saves_fen:
            rivals[line] = best
    return rivals


def _fate(
    promotion: Discount, lines: Sequence[int], first: dict[str, Savings | None], verdict: LevelResult
) -> WhyNotApplied | None:
    if any(award.promotion is promotion for award in verdict.awards):
        return None
    if first[promotion.promotion_id] is None:
        return WhyNotApplied.THRESHOLD_NOT_REACHED
    taken = {line for award in verdict.awards for line, saved in award.savings.items() if saved}
    return WhyNotApplied.ANOTHER_SAVES_MORE if taken.intersection(lines) else WhyNotApplied.SAVES_NOTHING


def _gift_per_line(contest: Contest, verdict: LevelResult) -> None:
    alive = [(gift, lines) for gift, lines in contest.gifts if contest.reached(gift, lines)]
    for gift, _ in contest.gifts:
        verdict.fates[gift.promotion_id] = WhyNotApplied.THRESHOLD_NOT_REACHED
    for gift, _ in alive:
        verdict.fates[gift.promotion_id] = WhyNotApplied.ANOTHER_SAVES_MORE
    alive.sort(key=lambda entry: entry[0].precedence)
    while alive:
        choices: dict[int, Gift] = {}
        for gift, lines in alive:
            choices |= {line: gift for line in lines if line not in choices}
        won = [(gift, _won(gift, choices)) for gift, _ in alive]
        failed = {gift.promotion_id for gift, lines in won if lines and not contest.reached(gift, lines)}
        if not failed:
            verdict.gifts += [(gift, lines) for gift, lines in won if lines]
            break
        out = _out(failed, {gift.promotion_id: lines for gift, lines in alive}, choices)
        alive = [entry for entry in alive if entry[0].promotion_id not in out]
    for gift, _ in verdict.gifts:
        verdict.fates[gift.promotion_id] = None
