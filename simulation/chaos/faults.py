"""What goes wrong, and when. It is planned from the seed, with a number of faults of each kind for 1,000 orders."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from simulation.chaos.goods import MERCHANTS
from simulation.chaos.insist import insist
from simulation.chaos.pace import Pace
from simulation.chaos.processes import Processes

# The activities after whose commit a worker dies. Before those that call outside parties a worker may die as well.
COMMITS = (
    *("reserve_stock", "record_order", "take_coupons", "create_payment", "assess_risk", "accept_payment"),
    *("deduct_stock", "redeem_coupons", "split_order", "hand_over", "ship_goods", "record_shipped"),
    *("record_delivered", "record_received", "close_payment", "release_stock", "give_back_coupons", "close_order"),
    *("close_sub_orders", "restock", "put_back_goods", "refund", "take_stray_payment", "grant_goods", "close_lines"),
    *("create_payment@before", "hand_over@before", "refund@before"),
)
# The activities of every order, which are chosen more often: a rare one may not be met in time.
_OFTEN = ("reserve_stock", "record_order", "accept_payment", "deduct_stock", "split_order", "hand_over", "refund")
DIES_WITHIN_S = 12.0

# The switches of one bad day each; they are switched off again after a moment.
BAD_DAYS: tuple[dict[str, Any], ...] = (
    {"create_fails": True},
    {"create_hangs_s": 6},
    {"close_fails": True},
    {"close_hangs_s": 6},
    {"close_finds_paid": True},
    {"query_fails": True, "refund_times_out": True},
    {"refund_fails": True},
    {"refund_refuses": True},
    {"refund_times_out": True},
    {"notify_duplicates": 3, "notify_reversed": True},
    {"notify_delay_s": 4, "notify_reversed": True},
    {"notify_delay_s": 11},
    {"capture_off_fen": -1},
    {"capture_currency": "EUR"},
    {"hand_over_fails_for": list(MERCHANTS)},
    {"hand_over_hangs_s": 6},
)


@dataclass(frozen=True)
class Rates:
    """How many faults of each kind there are for 1,000 orders."""

    workers: int = 240
    temporal: int = 26
    postgres: int = 16
    gateways: int = 20
    bad_days: int = 120


@dataclass(frozen=True)
class Fault:
    at_s: float
    kind: str
    pick: float
    activity: str = ""


def schedule(seed: int, orders: int, lasts_s: float, rates: Rates) -> list[Fault]:
    """The faults of a run, in the order of their time. Half of the workers' deaths are right after a commit."""
    random = Random(f"{seed}/faults")
    faults = []
    for kind, of_1000 in vars(rates).items():
        count = -(-of_1000 * orders // 1_000)
        for n in range(count):
            at_s = (n + random.random()) / count * lasts_s
            activity = random.choice((*COMMITS, *_OFTEN * 3)) if kind == "workers" and n % 2 else ""
            faults.append(Fault(at_s, kind, random.random(), activity))
    return sorted(faults, key=lambda fault: fault.at_s)


class Faults:
    """Plays the faults. Those of one group wait for each other, so that a server's restart delays no worker's death."""

    def __init__(self, processes: Processes, sandbox: httpx.AsyncClient, pace: Pace) -> None:
        self._processes = processes
        self._pace = pace
        self._sandbox = sandbox
        self.bad_days = 0
        self._play: dict[str, Callable[[Fault], Coroutine[Any, Any, None]]] = {
            "workers": self._worker,
            "gateways": self._gateway,
            "temporal": self._server,
            "postgres": self._server,
            "bad_days": self._bad_day,
        }

    async def play(self, faults: list[Fault]) -> None:
        groups = {"workers": "w", "gateways": "g", "temporal": "s", "postgres": "s", "bad_days": "b"}

        async def one_after_the_other(group: str) -> None:
            deaths = []
            for fault in faults:
                if groups[fault.kind] == group:
                    await self._pace.until(fault.at_s)
                    doing = self._play[fault.kind](fault)
                    if fault.activity:
                        deaths.append(asyncio.create_task(doing))
                    else:
                        await doing
            await asyncio.gather(*deaths)

        await asyncio.gather(*(one_after_the_other(group) for group in sorted(set(groups.values()))))
        await self._switch({})

    async def _worker(self, fault: Fault) -> None:
        if not fault.activity or not await self._processes.dies_at(fault.activity, DIES_WITHIN_S):
            self._processes.kill_one("worker", fault.pick)

    async def _gateway(self, fault: Fault) -> None:
        self._processes.kill_one("gateway", fault.pick)

    async def _server(self, fault: Fault) -> None:
        await (self._processes.kill_temporal() if fault.kind == "temporal" else self._processes.kill_postgres())

    async def _bad_day(self, fault: Fault) -> None:
        switches = BAD_DAYS[int(fault.pick * len(BAD_DAYS))]
        await self._switch(switches)
        self.bad_days += 1
        await asyncio.sleep(1 + 2 * fault.pick)
        await self._switch({})

    async def _switch(self, switches: dict[str, Any]) -> None:
        (await insist(self._sandbox, "PUT", "/bad-days", json=switches)).raise_for_status()
