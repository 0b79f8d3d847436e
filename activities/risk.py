"""Risk, as a story asks it: screen before anything is taken, assess once placed, keep what a person decides."""

from datetime import datetime
from typing import Protocol

from temporalio import activity

from domain.base import Message, Utc
from domain.order.cart import Cart
from domain.risk import Assessment, Decision, RiskDecided, Screened


class ScreenBuyer(Message):
    order_no: str
    cart: Cart
    now: Utc


class AssessRisk(Message):
    order_no: str

    @property
    def key(self) -> str:
        """A verdict's row is the order's own, so the first verdict is the one every repeat gets."""
        return f"order/{self.order_no}/assess"


class RecordRiskDecision(Message):
    order_no: str
    decision: Decision
    now: Utc

    @property
    def key(self) -> str:
        """A decision's row is the order's own: the first one counts, and a repeat is told so."""
        return f"order/{self.order_no}/risk-decision"


class RiskDesk(Protocol):
    """Put your own risk service behind this."""

    async def screen(self, order_no: str, cart: Cart, now: datetime) -> Screened:
        """Whether this buyer may order, in milliseconds. Writes nothing. A refusal is a value."""
        ...

    async def assess(self, order_no: str) -> Assessment:
        """The verdict on a placed order. Idempotency key: the order; a repeat returns the first verdict, with the
        decision on it if there is one.

        A REVIEW raises its alarm together with the verdict, once."""
        ...

    async def decide(self, order_no: str, decision: Decision, now: datetime) -> RiskDecided:
        """Keep a person's decision. Idempotency key: the order; the first one counts, and is the answer to any later
        one."""
        ...


class RiskActivities:
    def __init__(self, desk: RiskDesk) -> None:
        self._desk = desk

    @activity.defn
    async def screen_buyer(self, request: ScreenBuyer) -> Screened:
        return await self._desk.screen(request.order_no, request.cart, request.now)

    @activity.defn
    async def assess_risk(self, request: AssessRisk) -> Assessment:
        return await self._desk.assess(request.order_no)

    @activity.defn
    async def record_risk_decision(self, request: RecordRiskDecision) -> RiskDecided:
        return await self._desk.decide(request.order_no, request.decision, request.now)
