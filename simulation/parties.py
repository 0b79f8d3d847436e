"""The parties of a demo: each acts over HTTP, with a token of its own."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from domain.order.ownership import Role
from gateway.auth import mint
from providers.calls import LIMITS
from runtime.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "examples"
View = dict[str, Any]


class StoryFailed(Exception):
    """Raised when a story does not go as it should; the message says what was seen, and the demo reports it."""


class Buyer:
    """A buyer whom nobody has seen before, or one who shares the device, address and phone of another (`like`)."""

    def __init__(self, seed: int, like: "Buyer | None" = None) -> None:
        self.buyer_id = seed
        self.home: int = like.home if like else seed
        at = self.home
        self.device_id = f"device-{at}"
        self.address = {
            "recipient": "Demo Buyer",
            "phone": f"+1 {at % 10**9:09d}00000",
            "region": "Hangzhou",
            "street": f"{at} Demo Road",
        }

    def cart(self, example: str) -> dict[str, Any]:
        """One of the carts under examples/, as a cart of this buyer."""
        cart: dict[str, Any] = json.loads((EXAMPLES / f"{example}.json").read_text())
        return cart | {"buyer_id": self.buyer_id, "device_id": self.device_id, "address": self.address, "ip": ""}


class Parties:
    """Checkout, buyers, merchants, carriers, operators and the bank. A refusal is returned, not raised."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.jwt_key.get_secret_value()
        self._gateway = httpx.AsyncClient(base_url=settings.gateway_url, timeout=30, trust_env=False, limits=LIMITS)
        self._sandbox = httpx.AsyncClient(base_url=settings.provider_url, timeout=30, trust_env=False, limits=LIMITS)

    async def close(self) -> None:
        await self._gateway.aclose()
        await self._sandbox.aclose()

    async def _ask(self, role: Role, sub: str, method: str, path: str, **more: Any) -> httpx.Response:
        token = mint(self._key, role, sub, timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        for _ in range(20):
            response = await self._gateway.request(method, path, headers=headers, **more)
            if response.status_code not in (429, 503):
                return response
            await asyncio.sleep(0.5)
        raise StoryFailed(f"{method} {path} answers {response.status_code}: {response.text}")

    async def place(self, cart: dict[str, Any]) -> httpx.Response:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return await self._ask(Role.CHECKOUT, "demo-shop", "POST", "/orders", json=cart, headers=key)

    async def order(self, cart: dict[str, Any]) -> View:
        """Place an order that must be taken; raises StoryFailed if it is not."""
        response = await self.place(cart)
        if response.status_code != httpx.codes.CREATED:
            raise StoryFailed(f"the order was not taken: {response.text}")
        return dict(response.json())

    async def show(self, order_no: str) -> View:
        return dict((await self._ask(Role.OPERATOR, "demo", "GET", f"/orders/{order_no}")).json())

    async def until(self, order_no: str, good: Callable[[View], bool], what: str, timeout_s: float = 40) -> View:
        """The order, once it is as the story wants it. Raises StoryFailed after `timeout_s`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            view = await self.show(order_no)
            if good(view):
                return view
            if asyncio.get_running_loop().time() > deadline:
                raise StoryFailed(f"{order_no} is {view.get('status')}, and not {what} after {timeout_s:.0f} s")
            await asyncio.sleep(0.2)

    async def status(self, order_no: str, status: str, timeout_s: float = 40) -> View:
        return await self.until(order_no, lambda view: view["status"] == status, status, timeout_s)

    async def split(self, order_no: str) -> list[View]:
        view = await self.until(order_no, lambda view: bool(view["sub_orders"]), "split")
        return list(view["sub_orders"])

    async def pay(self, order_no: str, **how: Any) -> None:
        (await self._sandbox.post(f"/cashier/{order_no}/pay", json=how)).raise_for_status()

    async def cancel(self, number: str, buyer: Buyer) -> httpx.Response:
        return await self._ask(Role.BUYER, str(buyer.buyer_id), "POST", f"/orders/{number}/cancel", json={})

    async def reschedule(self, sub: View, day: str) -> httpx.Response:
        path = f"/sub-orders/{sub['sub_order_no']}/reschedule"
        return await self._ask(Role.MERCHANT, sub["merchant"], "POST", path, json={"ships_from": day})

    async def show_buyer(self, order_no: str, buyer: Buyer) -> View:
        """The order as the buyer sees it, with the codes of virtual goods."""
        return dict((await self._ask(Role.BUYER, str(buyer.buyer_id), "GET", f"/orders/{order_no}")).json())

    async def refund_quote(self, sub: View, buyer: Buyer) -> int:
        """What cancelling one piece of the sub-order's first line would pay back, in fen."""
        path = f"/sub-orders/{sub['sub_order_no']}/refund-quote?line={sub['lines'][0]['line_no']}=1"
        return int((await self._ask(Role.BUYER, str(buyer.buyer_id), "GET", path)).json()["amount_fen"])

    async def cancel_piece(self, sub: View, buyer: Buyer) -> httpx.Response:
        body = {"lines": [{"line_no": sub["lines"][0]["line_no"], "quantity": 1}]}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        path = f"/sub-orders/{sub['sub_order_no']}/cancel-pieces"
        return await self._ask(Role.BUYER, str(buyer.buyer_id), "POST", path, json=body, headers=key)

    async def ship(self, sub: View) -> httpx.Response:
        parcel = {"carrier": "SF", "tracking_no": f"SF{sub['sub_order_no'][-12:]}"}
        path = f"/sub-orders/{sub['sub_order_no']}/ship"
        return await self._ask(Role.MERCHANT, sub["merchant"], "POST", path, json=parcel)

    async def scan(self, sub: View, kind: str, at: str) -> httpx.Response:
        scan = {"event_id": f"{sub['sub_order_no']}-{kind}", "kind": kind, "place": "Hangzhou", "at": at}
        return await self._ask(Role.CARRIER, "SF", "POST", f"/sub-orders/{sub['sub_order_no']}/track", json=scan)

    async def confirm(self, sub: View, buyer: Buyer) -> httpx.Response:
        path = f"/sub-orders/{sub['sub_order_no']}/confirm-receipt"
        return await self._ask(Role.BUYER, str(buyer.buyer_id), "POST", path)

    async def review(self, sub: View, buyer: Buyer) -> httpx.Response:
        path = f"/sub-orders/{sub['sub_order_no']}/review"
        return await self._ask(Role.BUYER, str(buyer.buyer_id), "POST", path, json={"rating": 5, "text": "good"})

    async def decide_risk(self, order_no: str, *, approved: bool) -> httpx.Response:
        decision = {"approved": approved, "note": "decided in the demo"}
        return await self._ask(Role.OPERATOR, "ann", "POST", f"/orders/{order_no}/decide-risk", json=decision)

    async def ask_after_sale(self, sub: View, buyer: Buyer, kind: str, lines: list[View]) -> httpx.Response:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        path = f"/sub-orders/{sub['sub_order_no']}/after-sales"
        asked = {"kind": kind, "lines": lines, "reason": "not as described"}
        return await self._ask(Role.BUYER, str(buyer.buyer_id), "POST", path, json=asked, headers=key)

    async def on_case(self, role: Role, sub: str, case: View, act: str, told: dict[str, Any]) -> httpx.Response:
        return await self._ask(role, sub, "POST", f"/after-sales/{case['case_no']}/{act}", json=told)

    async def case(self, case: View, status: str, timeout_s: float = 30) -> View:
        """The case, once it is in this state. Raises StoryFailed after `timeout_s`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            view = dict((await self._ask(Role.OPERATOR, "demo", "GET", f"/after-sales/{case['case_no']}")).json())
            if view["status"] == status:
                return view
            if asyncio.get_running_loop().time() > deadline:
                raise StoryFailed(f"case {case['case_no']} is {view['status']}, and not {status}")
            await asyncio.sleep(0.2)

    async def bad_days(self, **switches: Any) -> None:
        (await self._sandbox.put("/bad-days", json=switches)).raise_for_status()

    async def statement(self) -> View:
        return dict((await self._sandbox.get("/statement")).json())
