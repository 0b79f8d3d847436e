"""Assess a placed order: every rule is asked, the weights of its reasons add up, and two bounds make the verdict."""

from collections.abc import Callable

from domain.risk.facts import AssessFacts
from domain.risk.promo import discount_share, new_accounts, placed_again
from domain.risk.rules import brushing, scalping, velocity
from domain.risk.settings import RiskSettings
from domain.risk.verdict import Assessment, RiskReason, RiskVerdict

Rule = Callable[[AssessFacts, RiskSettings], RiskReason | None]

# New rules are added here. A rule sees the facts and its thresholds, nothing else.
RULES: list[Rule] = [brushing, new_accounts, discount_share, placed_again, scalping, velocity]


def assess(facts: AssessFacts, settings: RiskSettings) -> Assessment:
    """The verdict on one order, with every reason that a rule gave."""
    reasons = [reason for rule in RULES if (reason := rule(facts, settings))]
    score = sum(reason.weight for reason in reasons)
    return Assessment(verdict=_verdict(score, settings), score=score, reasons=reasons)


def _verdict(score: int, settings: RiskSettings) -> RiskVerdict:
    if score < settings.pass_below:
        return RiskVerdict.PASS
    return RiskVerdict.REJECT if score > settings.reject_above else RiskVerdict.REVIEW
