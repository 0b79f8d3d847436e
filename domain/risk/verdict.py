"""What risk says of a placed order, and what a person says to that."""

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
    """Why, how heavily it counts, and what was seen: counts and order numbers, nothing personal."""

    kind: RiskKind
    text: str
    weight: int
    facts: dict[str, int | str | list[str]]


class Decision(Document):
    """A person's word on an order that waits for one."""

    approved: bool
    author: str = Field(min_length=1, max_length=100)
    note: str = Field(min_length=1, max_length=2_000)


class Assessment(Message):
    """A verdict with all that led to it. Stored for good; a person's decision overrules it."""

    verdict: RiskVerdict
    score: int
    reasons: list[RiskReason]
    decision: Decision | None = None  # one that was taken before: no person is asked again


class RiskDecided(Message):
    """The decision that stands. The first one does: `yours` is False when another had been taken before."""

    order_no: str
    decision: Decision
    decided_at: Utc
    yours: bool


class ChangedVerdict(Message):
    """An order on which the tried settings think otherwise. `was` is None when it never was assessed."""

    order_no: str
    was: RiskVerdict | None
    would_be: RiskVerdict
    score: int


class TryReport(Message):
    """What settings would have said of past orders. `more`: there are older ones that were not looked at."""

    orders: int
    verdicts: dict[RiskVerdict, int]
    changed: list[ChangedVerdict]
    more: bool
