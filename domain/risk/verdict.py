"""What the risk check says of a placed order, and what a person decides about it."""

from enum import StrEnum

from pydantic import Field

from domain.base import Document, Message, Utc


class RiskVerdict(StrEnum):
    PASS = "PASS"
    REVIEW = "REVIEW"  # a person decides
    REJECT = "REJECT"


class RiskKind(StrEnum):
    BRUSHING = "BRUSHING"  # 刷单
    PROMO_ABUSE = "PROMO_ABUSE"  # 羊毛党
    SCALPING = "SCALPING"  # 黄牛
    VELOCITY = "VELOCITY"


class RiskReason(Message):
    """Why a rule objects, how heavily that counts, and what it saw: counts and order numbers, nothing personal."""

    kind: RiskKind
    text: str
    weight: int
    facts: dict[str, int | str | list[str]]


class Decision(Document):
    """A person's decision on an order that waits for one."""

    approved: bool
    author: str = Field(min_length=1, max_length=100)
    note: str = Field(min_length=1, max_length=2_000)


class Assessment(Message):
    """A verdict with all that led to it. It is stored for good; a person's decision overrules it."""

    verdict: RiskVerdict
    score: int
    reasons: list[RiskReason]
    decision: Decision | None = None  # if one was taken before, no person is asked again


class RiskDecided(Message):
    """The decision that counts, which is the first one: `yours` is False when another had been taken before."""

    order_no: str
    decision: Decision
    decided_at: Utc
    yours: bool


class ChangedVerdict(Message):
    """An order whose verdict would be another under the tried settings. `was` is None when it was never assessed."""

    order_no: str
    was: RiskVerdict | None
    would_be: RiskVerdict
    score: int


class TryReport(Message):
    """The verdicts that settings would have given on past orders. `more` says that older ones were not looked at."""

    orders: int
    verdicts: dict[RiskVerdict, int]
    changed: list[ChangedVerdict]
    more: bool
