"""Screen a checkout before anything is taken (下单拦截): the same facts give the same answer."""

from datetime import datetime

from domain.base import Message, Utc
from domain.risk.identity import Block, BlockKind, Identity
from domain.risk.settings import RiskSettings

NOT_ACCEPTED = "NOT_ACCEPTED"
"""The code is all that a refused caller is told: anything more would teach an abuser what to change."""


class ScreenFacts(Message):
    """What screening looks at. `device_buyers` counts this buyer too; `unpaid_orders` does not count this order."""

    identity: Identity
    now: Utc
    blocks: list[Block] = []  # noqa: RUF012  pydantic copies it
    device_buyers: int = 1
    unpaid_orders: int = 0


class Screened(Message):
    """The result of screening. In a refusal, `code` is for the caller and `reason` for operators only."""

    passed: bool
    code: str = ""
    reason: str = ""


def screen(facts: ScreenFacts, settings: RiskSettings) -> Screened:
    """Refuse a buyer who is blocked, and an environment that is plainly wrong."""
    reason = _blocked(facts) or _wrong_environment(facts, settings)
    return Screened(passed=False, code=NOT_ACCEPTED, reason=reason) if reason else Screened(passed=True)


def _blocked(facts: ScreenFacts) -> str:
    marks = facts.identity.marks()
    for kind in BlockKind:  # in this order, so that several blocks always give the same reason
        for block in facts.blocks:
            if block.kind is kind and block.value in marks[kind] and _in_force(block, facts.now):
                return f"{kind} is blocked by {block.author}: {block.reason}"
    return ""


def _in_force(block: Block, now: datetime) -> bool:
    return block.expires_at is None or now < block.expires_at


def _wrong_environment(facts: ScreenFacts, settings: RiskSettings) -> str:
    if facts.device_buyers > settings.device_buyers:
        return (
            f"device used by {facts.device_buyers} buyers in {settings.device_days} days;"
            f" at most {settings.device_buyers} may"
        )
    if facts.unpaid_orders >= settings.unpaid_orders:
        return f"buyer has {facts.unpaid_orders} unpaid orders; at most {settings.unpaid_orders} may be open"
    return ""
