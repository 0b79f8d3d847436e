"""What the merchant, the carrier and the buyer do with one sub-order."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from domain.order.ownership import Role
from simulation.chaos.auditor.seen import Acknowledged, Seen
from simulation.chaos.gateway_client import GatewayClient, Heard
from simulation.chaos.plan import Parcel

CARRIER = "SF"
FOUND_AGAIN_AFTER_S = 9.0  # when a parcel that the carrier had lost is found; longer than the transit window
LOOKS, BETWEEN_LOOKS_S = 40, 1.0
_ON_ITS_WAY = {"SHIPPED", "COMPLETED", "REVIEWED"}


class ParcelLife:
    def __init__(self, part: dict[str, Any], wishes: Parcel, buyer_id: int, gate: GatewayClient, seen: Seen) -> None:
        self._no: str = part["sub_order_no"]
        self._merchant: str = part["merchant"]
        self._virtual = part["delivery_mode"] == "VIRTUAL"
        self._wishes = wishes
        self._buyer = str(buyer_id)
        self._gate = gate
        self._seen = seen

    async def live(self) -> None:
        wishes = self._wishes
        await asyncio.sleep(wishes.ship_after_s)
        if not self._virtual and not await self._sent():
            return
        if not wishes.confirmed and not wishes.delivered:
            await asyncio.sleep(FOUND_AGAIN_AFTER_S)
        if not self._virtual and (wishes.delivered or not wishes.confirmed):
            await self._act(Role.CARRIER, CARRIER, "track", "", self._scan("in_transit"))
            await self._act(Role.CARRIER, CARRIER, "deliver", "deliver")
        if wishes.confirmed:
            await self._act(Role.BUYER, self._buyer, "confirm-receipt", "confirm")
        if wishes.reviewed and await self._received():
            await self._act(Role.BUYER, self._buyer, "review", "review", {"rating": 4, "text": "chaos"})

    async def _sent(self) -> bool:
        """Ship the parcel, or have the merchant refuse it; returns whether it is on its way."""
        if self._wishes.refused:
            path = f"/orders/{self._no}/cancel"
            heard = await self._gate.ask(Role.MERCHANT, self._merchant, "POST", path, {})
            if heard.done:
                self._seen.acts.append(Acknowledged("cancel", self._no, Role.MERCHANT))
            if heard.done or heard.body.get("order_status") == "CLOSED":
                return False
        numbers = [f"SF{self._no[-14:]}{n}" for n in range(2 if self._wishes.ship_twice else 1)]
        heard_all = await asyncio.gather(*(self._ship(number) for number in numbers))
        return any(heard.done or heard.body.get("order_status") in _ON_ITS_WAY for heard in heard_all)

    async def _ship(self, tracking_no: str) -> Heard:
        parcel = {"carrier": CARRIER, "tracking_no": tracking_no}
        return await self._act(Role.MERCHANT, self._merchant, "ship", "ship", parcel)

    async def _received(self) -> bool:
        """Wait until the buyer or the clock has confirmed the receipt; False if the sub-order ended otherwise."""
        for _ in range(LOOKS):
            heard = await self._gate.ask(Role.BUYER, self._buyer, "GET", f"/orders/{self._no}")
            if heard.body.get("status") in ("COMPLETED", "REVIEWED", "CLOSED"):
                return bool(heard.body["status"] == "COMPLETED")
            await asyncio.sleep(BETWEEN_LOOKS_S)
        return False

    async def _act(self, role: Role, sub: str, path: str, act: str, body: dict[str, Any] | None = None) -> Heard:
        heard = await self._gate.ask(role, sub, "POST", f"/sub-orders/{self._no}/{path}", body)
        if heard.done and act:
            self._seen.acts.append(Acknowledged(act, self._no, role, body or {}))
        return heard

    def _scan(self, kind: str) -> dict[str, str]:
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {"event_id": f"{self._no}-{kind}", "kind": kind, "place": "Hangzhou", "at": at}
