"""The buyers at the provider's cashier: they pay, twice, late, too much, in dollars, or not at all."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx

from simulation.chaos.auditor.seen import Seen
from simulation.chaos.plan import PAYMENT_WINDOW_S, OrderPlan

TRIES, BETWEEN_TRIES_S = 40, 0.25  # the page may not be there yet


class Cashier:
    def __init__(self, http: httpx.AsyncClient, seen: Seen) -> None:
        self._http = http
        self._seen = seen

    async def pay(self, plan: OrderPlan, placement: dict[str, Any]) -> None:
        order_no, due_fen = placement["order_no"], placement["amount_due_fen"]
        if plan.payment == "never" or not due_fen:
            return
        await asyncio.sleep(plan.pays_after_s)
        match plan.payment:
            case "twice":
                await self._pay(order_no, times=2)
            case "wrong amount":
                await self._pay(order_no, amount_fen=due_fen + 1)
            case "wrong currency":
                await self._pay(order_no, currency="USD")
            case "wrong, then right":
                await self._pay(order_no, amount_fen=1)
                await self._pay(order_no, amount_fen=due_fen, force=True)
            case "at the deadline":
                await asyncio.sleep(_until(placement["pay_by"]))
                await self._pay(order_no, amount_fen=due_fen, force=True)
            case "too late":
                await asyncio.sleep(_until(placement["pay_by"]) + 2)
                await self._pay(order_no, amount_fen=due_fen, force=True)
            case "told late":
                await self._pay(order_no, delay_s=2.5)
            case "told very late":
                await self._pay(order_no, delay_s=PAYMENT_WINDOW_S + 4.0)
            case "no page yet":
                await self._pay(order_no, amount_fen=due_fen, force=True)
            case _:
                await self._pay(order_no)

    async def _pay(self, order_no: str, **how: Any) -> None:
        for _ in range(TRIES):
            answer = await self._http.post(f"/cashier/{order_no}/pay", json=how)
            if answer.status_code == 200:
                for one in answer.json()["captures"]:
                    told = (one["payment_id"], one["amount_fen"], one["currency"])
                    self._seen.captures[one["capture_id"]] = told
            if answer.status_code != 404:
                return
            await asyncio.sleep(BETWEEN_TRIES_S)


def _until(pay_by: str) -> float:
    left = datetime.fromisoformat(pay_by) - datetime.now(UTC)
    return max(left.total_seconds(), 0.0)
