"""The buyers at the provider's cashier: they pay once, twice, late, too much, in dollars, or not at all."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from simulation.chaos.auditor.seen import Seen
from simulation.chaos.insist import insist
from simulation.chaos.plan import PAYMENT_WINDOW_S, OrderPlan

TRIES, BETWEEN_TRIES_S = 40, 0.25  # the page may not be there yet

# How long after the deadline these pay.
_LATE_S = {"at the deadline": 0.0, "too late": 2.0}

How = dict[str, Any]


# What is done at the cashier, one act after the other, by the amount that is due. `force` pays whatever the page says.
_ACTS: dict[str, Callable[[int], list[How]]] = {
    "once": lambda due_fen: [{}],
    "twice": lambda due_fen: [{"times": 2}],
    "wrong amount": lambda due_fen: [{"amount_fen": due_fen + 1}],
    "wrong currency": lambda due_fen: [{"currency": "USD"}],
    "wrong, then right": lambda due_fen: [{"amount_fen": 1}, {"amount_fen": due_fen, "force": True}],
    "at the deadline": lambda due_fen: [{"amount_fen": due_fen, "force": True}],
    "too late": lambda due_fen: [{"amount_fen": due_fen, "force": True}],
    "no page yet": lambda due_fen: [{"amount_fen": due_fen, "force": True}],
    "told late": lambda due_fen: [{"delay_s": 2.5}],
    "told very late": lambda due_fen: [{"delay_s": PAYMENT_WINDOW_S + 4.0}],
}


class Cashier:
    def __init__(self, http: httpx.AsyncClient, seen: Seen) -> None:
        self._http = http
        self._seen = seen

    async def pay(self, plan: OrderPlan, placement: dict[str, Any]) -> None:
        order_no, due_fen = placement["order_no"], placement["amount_due_fen"]
        if plan.payment == "never" or not due_fen:
            return
        await asyncio.sleep(plan.pays_after_s)
        if plan.payment in _LATE_S:
            await asyncio.sleep(_until(placement["pay_by"]) + _LATE_S[plan.payment])
        for how in _ACTS[plan.payment](due_fen):
            await self._pay(order_no, **how)

    async def _pay(self, order_no: str, **how: Any) -> None:
        for _ in range(TRIES):
            # A payment whose answer was lost is made again: one of the two is stray.
            answer = await insist(self._http, "POST", f"/cashier/{order_no}/pay", json=how)
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
