"""One order's life by its plan: its buyer, its merchants, its carrier and the operators act on it.

To add an act (an after-sale case, say), add a coroutine to `_acts`, its part of the plan to `plan.py`, and what must be
true after it was acknowledged to `auditor/parties.py`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from domain.order.ownership import Role
from simulation.chaos.auditor.seen import PLACED, REFUSED, UNKNOWN, Acknowledged, Checkout, Seen
from simulation.chaos.cashier import Cashier
from simulation.chaos.gateway_client import GatewayClient
from simulation.chaos.goods import price_fen
from simulation.chaos.operators import Operators
from simulation.chaos.parcel import ParcelLife
from simulation.chaos.plan import OrderPlan

ENDINGS = {"COMPLETED", "REVIEWED", "CLOSED"}
LOOK_EVERY_S = 1.5
PATIENCE_S = 90.0
COMES_BACK_AFTER_S = 12.0  # longer than a payment's window
View = dict[str, Any]


class Life:
    def __init__(
        self, plan: OrderPlan, gate: GatewayClient, cashier: Cashier, operators: Operators, seen: Seen
    ) -> None:
        self._plan = plan
        self._gate = gate
        self._cashier = cashier
        self._operators = operators
        self._seen = seen
        self._no = ""
        self._view: View = {}
        self._parcels: dict[str, asyncio.Task[None]] = {}
        self._decided = False
        self._split_or_ended = asyncio.Event()

    async def live(self) -> None:
        plan = self._plan
        coupons = (plan.coupon,) if plan.coupon else ()
        checkout = Checkout(f"key-{plan.number}", plan.buyer_id, dict(plan.lines), coupons)
        self._seen.checkouts.append(checkout)
        patience_s = 0.0 if plan.walks_away else PATIENCE_S
        asking = [self._place(checkout, patience_s) for _ in range(plan.asks_at_once)]
        placed = [answer for answer in await asyncio.gather(*asking) if answer]
        if placed:
            self._no = placed[0]["order_no"]
            await asyncio.gather(*self._acts(placed[0]))
        elif checkout.outcome == UNKNOWN:
            await self._come_back(checkout)

    async def _come_back(self, checkout: Checkout) -> None:
        """A buyer who walked away looks later what became of the order. It may even be paid by then, so its merchants
        are played too."""
        await asyncio.sleep(COMES_BACK_AFTER_S)
        placement = await self._place(checkout, PATIENCE_S)
        if placement is not None:
            self._no = placement["order_no"]
            await self._follow()

    def _acts(self, placement: View) -> list[Coroutine[Any, Any, None]]:
        return [self._cashier.pay(self._plan, placement), self._cancel(), self._operate(), self._follow()]

    # --- the buyer

    async def _place(self, checkout: Checkout, patience_s: float) -> View | None:
        """Check out; returns the placement if the order was taken."""
        role, sub = (Role.CHECKOUT, "chaos-shop")
        heard = await self._gate.ask(
            role, sub, "POST", "/orders", self._cart(), key=checkout.key, patience_s=patience_s
        )
        if heard.status == 201:
            checkout.outcome = PLACED
            checkout.order_nos.add(heard.body["order_no"])
            checkout.amounts_fen.add(heard.body["amount_due_fen"])
            return heard.body
        if heard.status == 409:
            checkout.outcome, checkout.refusal = REFUSED, heard.body.get("code") or ""
        elif 400 <= heard.status < 500:
            raise AssertionError(f"the workload asked for what can't be: {heard}")
        return None

    def _cart(self) -> View:
        plan = self._plan
        return {
            "buyer_id": plan.buyer_id,
            "lines": [
                {"line_no": at, "sku": sku, "quantity": pieces} for at, (sku, pieces) in enumerate(plan.lines, start=1)
            ],
            "expected_amount_fen": price_fen(plan.lines, 1 if plan.coupon else 0),
            "coupons": [plan.coupon] if plan.coupon else [],
            "device_id": f"device-{plan.home}",
            "ip": "",
            "address": {
                "recipient": "Chaos Buyer",
                "phone": f"+1 {plan.home % 10**9:09d}00000",
                "region": "Hangzhou",
                "street": f"{plan.home} Chaos Road",
            },
        }

    async def _cancel(self) -> None:
        plan = self._plan
        if plan.cancels_after_s is None:
            return
        await asyncio.sleep(plan.cancels_after_s)
        role, sub = (Role.OPERATOR, "ann") if plan.platform_cancels else (Role.BUYER, str(plan.buyer_id))
        heard = await self._gate.ask(role, sub, "POST", f"/orders/{self._no}/cancel", {"note": "chaos"})
        if heard.done:
            self._seen.acts.append(Acknowledged("cancel", self._no, role))

    # --- operators

    async def _operate(self) -> None:
        if self._plan.operation is None:
            return
        await asyncio.sleep(self._plan.operated_after_s)
        if "sub-order" in self._plan.operation:
            await self._split_or_ended.wait()  # an operation on a sub-order's run waits until there is one
        parts = [part["sub_order_no"] for part in self._view.get("sub_orders", [])]
        await self._operators.operate(self._plan.operation, self._no, parts)

    async def _decide_risk(self, approved: bool) -> None:
        self._decided = True
        decision = {"approved": approved, "note": "chaos"}
        path = f"/orders/{self._no}/decide-risk"
        heard = await self._gate.ask(Role.OPERATOR, "ann", "POST", path, decision)
        if heard.done:
            self._seen.acts.append(Acknowledged("approve" if approved else "reject", self._no, Role.OPERATOR))

    # --- everybody looks at the order

    async def _follow(self) -> None:
        """Look and react until the order has ended and no party wants to do anything with it any more."""
        while True:
            heard = await self._gate.ask(Role.OPERATOR, "ann", "GET", f"/orders/{self._no}")
            if heard.done:
                self._view = heard.body
                ended = self._view["status"] in ENDINGS
                if ended or self._view["sub_orders"]:
                    self._split_or_ended.set()
                await self._react()
                if ended:
                    break
            await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.gather(*self._parcels.values())

    async def _react(self) -> None:
        for part in self._view["sub_orders"]:
            if part["sub_order_no"] not in self._parcels:
                wishes = self._plan.parcels[part["merchant"]]
                life = ParcelLife(part, wishes, self._plan.buyer_id, self._gate, self._seen)
                self._parcels[part["sub_order_no"]] = asyncio.create_task(life.live())
        approved = self._plan.risk_approved
        waits = any(one["topic"].startswith("risk review") for one in self._view["attention"])
        if waits and approved is not None and not self._decided:
            await self._decide_risk(approved)
