"""The small parties in memory: catalog, promotions, merchants, risk, and the list of what needs a person."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from activities.attention import Noted, RecordAttention
from activities.merchant import Granted, GrantGoods, HandOver
from domain.order.cart import Cart
from domain.order.product import OnSale, Product
from domain.order.snapshot import TradeSnapshot
from domain.order.status import ENDED, Action, Actor, Refused, act
from domain.pricing.market import Offers
from domain.risk import (
    Assessment,
    Block,
    Decision,
    Identity,
    RiskDecided,
    RiskSettings,
    RiskVerdict,
    Screened,
    ScreenFacts,
    screen,
)
from domain.splitting.freight import FreightTemplate
from tests.support.memory.records import Records


@dataclass
class MemoryCatalog:
    """Implements `activities.catalog.Catalog`: one version of each product, and no freight."""

    products: dict[str, Product] = field(default_factory=dict)

    async def on_sale(self, skus: Collection[str]) -> dict[str, OnSale]:
        known = {sku: self.products[sku] for sku in skus if sku in self.products}
        return {
            sku: OnSale(product=product, version=1, digest=TradeSnapshot.of(product).digest)
            for sku, product in known.items()
        }

    async def freight(self, merchants: Collection[str]) -> list[FreightTemplate]:
        return []


class NoPromotions:
    """Implements `activities.catalog.Promotions`: there are none."""

    async def offers(self, buyer_id: int, merchants: Collection[str], coupons: Collection[str], at: datetime) -> Offers:
        return Offers()


@dataclass
class MemoryMerchants:
    """Implements `activities.merchant.MerchantSystem`."""

    parcels: dict[str, HandOver] = field(default_factory=dict)

    async def hand_over(self, parcel: HandOver) -> None:
        known = self.parcels.get(parcel.sub_order_no)
        if known is None or parcel.revision > known.revision:
            self.parcels[parcel.sub_order_no] = parcel

    async def grant(self, goods: GrantGoods) -> Granted:
        raise NotImplementedError("nobody grants codes in memory: play a story of virtual goods on PostgreSQL")


class MemoryRisk:
    """Implements `activities.risk.RiskDesk`. It screens by blocks alone, and its verdict on a buyer is what a test has
    put into `verdicts`: the rules of `domain.risk.assess` are tested where they are."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.blocks: list[Block] = []
        self.verdicts: dict[int, RiskVerdict] = {}  # by buyer; of everybody else PASS
        self._assessed: dict[str, Assessment] = {}
        self._decided: dict[str, RiskDecided] = {}

    async def screen(self, order_no: str, cart: Cart, now: datetime) -> Screened:
        return screen(ScreenFacts(identity=Identity.of(cart), now=now, blocks=self.blocks), RiskSettings())

    async def assess(self, order_no: str) -> Assessment:
        buyer_id = self._records.orders[order_no].placed.cart.buyer_id
        verdict = self.verdicts.get(buyer_id, RiskVerdict.PASS)
        first = self._assessed.setdefault(order_no, Assessment(verdict=verdict, score=0, reasons=[]))
        decided = self._decided.get(order_no)
        return first.model_copy(update={"decision": decided.decision if decided else None})

    async def decide(self, order_no: str, decision: Decision, now: datetime) -> RiskDecided:
        known = self._decided.get(order_no)
        if known is not None:
            return known.model_copy(update={"yours": False})
        mine = RiskDecided(order_no=order_no, decision=decision, decided_at=now, yours=True)
        self._decided[order_no] = mine
        return mine


class MemoryAttention:
    """Implements `activities.attention.AttentionBook`, without alarms: `marks` are what needs a person now, by order,
    subject and topic."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.marks: dict[tuple[str, str, str], str] = {}

    async def record_attention(self, request: RecordAttention) -> Noted:
        mark = request.order_no, request.subject, request.topic
        order = self._records.orders.get(request.order_no)
        if request.text is None:
            changed = self.marks.pop(mark, None) is not None
        elif mark in self.marks or (request.while_open and order is not None and order.status in ENDED):
            changed = False
        else:
            self.marks[mark] = request.text
            changed = True
        if changed and request.subject.isdigit():
            self._show_stuck(request.order_no, request.subject)
        return Noted(changed=changed)

    def of(self, order_no: str) -> list[str]:
        return [text for mark, text in self.marks.items() if mark[0] == order_no]

    def _show_stuck(self, order_no: str, sub_order_no: str) -> None:
        _, sub = self._records.sub_order(sub_order_no)
        waiting = any(mark[:2] == (order_no, sub_order_no) for mark in self.marks)
        moved = act(sub.facts, Action.GET_STUCK if waiting else Action.HEAL, Actor.PLATFORM)
        if not isinstance(moved, Refused):
            sub.facts = moved
