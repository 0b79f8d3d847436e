"""One simulation: workload, faults and auditor at the same time; then calm, the drain, and the last look."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.temporal import connect
from simulation.chaos import goods, plan
from simulation.chaos.auditor.audit import Auditor, keep_looking
from simulation.chaos.auditor.seen import Seen
from simulation.chaos.cashier import Cashier
from simulation.chaos.faults import Faults, Rates, schedule
from simulation.chaos.gateway_client import LIMITS, GatewayClient
from simulation.chaos.life import Life
from simulation.chaos.operators import GRACE_S, Operators
from simulation.chaos.pace import Pace
from simulation.chaos.processes import Processes, open_processes
from simulation.chaos.report import Report, by_kind, recovery_s
from store.database.engine import engine_for

SNAPSHOT_EVERY_S = 4.0
PRESS_EVERY_S = 3.0
AUDIT_EVERY_S = 8.0
OPEN = """SELECT (SELECT count(*) FROM payment_notifications WHERE settled_at IS NULL)
  + (SELECT count(*) FROM outbox WHERE posted_at IS NULL)
  + (SELECT count(*) FROM orders WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED'))"""


@dataclass(frozen=True)
class Config:
    seed: int
    orders: int
    per_second: float = 2.0
    workers: int = 3
    most_under_way: int = 32  # the orders above which the simulation's clock slows down, until some have ended
    drain_s: float = 60.0
    control: bool = False
    rates: Rates = field(default_factory=Rates)


class Simulation:
    """One simulation, whose figures can be watched while it runs."""

    def __init__(self, config: Config, processes: Processes) -> None:
        self.config = config
        self.processes = processes
        self.seen = Seen()
        self.plan = plan.make(config.seed, config.orders, config.per_second)
        self.gate = GatewayClient(processes.settings, processes.gateway_ports)
        self.sandbox = httpx.AsyncClient(
            base_url=processes.settings.sandbox_url, timeout=15, trust_env=False, limits=LIMITS
        )
        self.auditor = Auditor(processes.dsn, self.sandbox, self.seen)
        self.pace = Pace(lambda: self.begun - self.ended, config.most_under_way)
        self.faults = Faults(processes, self.sandbox, self.pace)
        self.stage = "starting"
        self.begun = 0  # how many orders have begun
        self.ended = 0
        self.unexpected: list[str] = []

    async def run(self) -> Report:
        client = await connect(self.processes.settings)
        self.operators = Operators(client, self.processes.settings)
        await self._open_shop()
        self.stage, begun = "under fire", time.monotonic()
        looking = asyncio.create_task(keep_looking(self.auditor, SNAPSHOT_EVERY_S))
        pacing = asyncio.create_task(self.pace.run())
        pressing = asyncio.create_task(self.operators.keep_pressing(PRESS_EVERY_S))
        auditing = asyncio.create_task(self.operators.keep_auditing(AUDIT_EVERY_S))
        lives = [asyncio.create_task(self._live(one)) for one in self.plan.orders]
        try:
            await self._play_faults()
            self.stage, calm = "calm", time.monotonic()
            drained = await self._drain(client, lives)
            auditing.cancel()
            # Finds what a run held that was terminated while it placed its order: no list shows that as open.
            await asyncio.sleep(GRACE_S)
            await self.operators.audit()
            drained = drained and await self._drain(client, lives)
            drain_s = time.monotonic() - calm
        finally:
            beside = (looking, pacing, pressing, auditing, *lives)
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
        self.unexpected += [f"{type(end).__name__}: {end}" for end in ended if isinstance(end, Exception)]
        self.stage = "the last look"
        await self.auditor.final(client)
        return self._report(begun, calm, drain_s, drained)

    async def _play_faults(self) -> None:
        """Play the faults, for as long as orders arrive."""
        faults = schedule(self.config.seed, self.config.orders, self.plan.lasts_s, self.config.rates)
        self.processes.proxy.forgetting = bool(faults)
        await self.faults.play(faults)
        await self.pace.until(self.plan.lasts_s + 1)
        self.processes.proxy.forgetting = False

    async def close(self) -> None:
        await self.gate.close()
        await self.sandbox.aclose()

    async def _open_shop(self) -> None:
        engine = engine_for(self.processes.owner_url)
        try:
            self.seen.sellable = await goods.put_on_sale(engine, self.config.orders)
            await goods.issue_coupons(engine, self.plan.coupons)
        finally:
            await engine.dispose()

    async def _live(self, order: plan.OrderPlan) -> None:
        await self.pace.until(order.arrives_s)
        self.begun += 1
        life = Life(order, self.gate, Cashier(self.sandbox, self.seen), self.operators, self.seen)
        try:
            await life.live()
        except Exception as error:
            # The other orders go on, but a simulation that met something unexpected does not pass.
            self.unexpected.append(f"order {order.number}: {type(error).__name__}: {error}")
        self.ended += 1

    async def _drain(self, client: Client, lives: list[asyncio.Task[None]]) -> bool:
        """Wait until everything has ended; returns whether that was in time."""
        until = time.monotonic() + self.config.drain_s
        while time.monotonic() < until:
            if all(life.done() for life in lives) and await self._is_quiet(client):
                return True
            await asyncio.sleep(0.5)
        return False

    async def _is_quiet(self, client: Client) -> bool:
        with contextlib.suppress(RPCError, OSError, asyncpg.PostgresError):
            if (await client.count_workflows('ExecutionStatus = "Running"')).count:
                return False
            db = await asyncpg.connect(self.processes.dsn)
            try:
                return bool(await db.fetchval(OPEN) == 0)
            finally:
                await db.close()
        return False

    def _report(self, begun: float, calm: float, drain_s: float, drained: bool) -> Report:
        figures, seen = self.gate.figures, self.seen
        outcomes = Counter(f"{one.outcome.lower()} {one.refusal.lower()}".strip() for one in seen.checkouts)
        return Report(
            seed=self.config.seed,
            orders=len(seen.checkouts),
            outcomes=dict(outcomes),
            kills=by_kind(self.processes.kills),
            operations=dict(self.operators.did),
            answers_lost=self.processes.proxy.lost,
            bad_days=self.faults.bad_days,
            requests=figures.requests,
            unanswered=figures.unanswered,
            snapshots=self.auditor.snapshots,
            checks=self.auditor.checks,
            facts=self.auditor.facts,
            recovery_s=recovery_s(self.processes.kills, figures.successes),
            load_s=calm - begun,
            drain_s=drain_s,
            drained=drained,
            violations=self.auditor.violations,
            unexpected=self.unexpected + [f"the gateway answered 500: {what}" for what in figures.faults],
        )


async def simulate(config: Config, folder: Path, watch: Callable[[Simulation], None] = lambda _: None) -> Report:
    """Run a simulation in this folder, which keeps the logs. Call it from the main thread, since it starts servers."""
    async with open_processes(folder, config.seed, workers=config.workers, control=config.control) as processes:
        simulation = Simulation(config, processes)
        watch(simulation)
        try:
            return await simulation.run()
        finally:
            await simulation.close()
