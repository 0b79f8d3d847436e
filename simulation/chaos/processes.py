"""The processes of a simulation: real servers, the sandbox, gateways and workers, each of which can be killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

from runtime.embedded import Child, Postgres, ServerFailed, TemporalServer, free_port
from runtime.settings import Settings
from runtime.up import ROOT, Process, answers
from simulation.chaos.mortal_worker import CONTROL, KILLS
from simulation.chaos.plan import PAYMENT_WINDOW_S
from simulation.chaos.proxy import ForgetfulProxy
from store.database.migrate import upgrade
from workflows import run_names

# The windows are short, so that what takes a week in a shop takes seconds here.
WINDOWS = {
    "payment_window_s": PAYMENT_WINDOW_S,
    "dispatch_window_s": 15,
    "transit_window_s": 6,
    "receipt_window_s": 2,
    "review_window_s": 6,
    "escalation_window_s": 4,
    "backorder_window_s": 6,
}
HEALTHY_WITHIN_S = 60.0
ONE_ANSWER_LOST_IN = 60


@dataclass
class Kill:
    """What was killed, and when, by the monotonic clock of this process."""

    what: str
    at: float = field(default_factory=time.monotonic)


class Forker:
    """Handles the process that forks workers and gateways, and has each started again whenever it ends."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._process: asyncio.subprocess.Process | None = None
        self._wishes: asyncio.Queue[str] = asyncio.Queue()
        self._environments: dict[str, tuple[str, dict[str, str]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._open: list[str] = []  # names that were asked for and whose process id is not known yet
        self.alive: dict[int, str] = {}  # names by process id
        self.deaths: dict[str, int] = {}
        self.closing = False

    async def start(self) -> None:
        with (self._log_dir / "forker.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "simulation.chaos.forker"),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        self.closing = True
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    def keep(self, name: str, role: str, environment: dict[str, str]) -> None:
        """Start a process under this name, and again whenever it ends."""
        self._environments[name] = (role, environment)
        self._ask_for(name)

    def named(self, prefix: str) -> list[int]:
        return [pid for pid, name in self.alive.items() if name.startswith(prefix)]

    def _ask_for(self, name: str) -> None:
        role, environment = self._environments[name]
        wish = {"role": role, "env": environment, "log": str(self._log_dir / f"{name}.log")}
        assert self._process is not None and self._process.stdin is not None
        self._open.append(name)
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "born" in told:
                self.alive[told["born"]] = self._open.pop(0)
                continue
            name = self.alive.pop(told["died"])
            self.deaths[name] = self.deaths.get(name, 0) + 1
            if not self.closing:
                asyncio.get_running_loop().call_later(0.2, self._again, name)

    def _again(self, name: str) -> None:
        if not self.closing:
            self._ask_for(name)


class Processes:
    """Everything that runs in a simulation, and how it is killed."""

    def __init__(self, folder: Path, seed: int, *, workers: int, gateways: int, control: bool) -> None:
        folder = folder.absolute()
        self.folder = folder
        self.kills: list[Kill] = []
        self.kill_plans = folder / "kills"
        self.kill_plans.mkdir(parents=True, exist_ok=True)
        self._workers, self._gateways, self._control = workers, gateways, control
        self.postgres = Postgres(folder)
        self.temporal = TemporalServer(folder, headless=True, search_attributes=run_names.REGISTERED)
        self.forker = Forker(folder)
        proxy_port = free_port()
        socket = Path(parse_qs(urlsplit(self.postgres.url).query)["host"][0]) / ".s.PGSQL.5432"
        self.proxy = ForgetfulProxy(socket, proxy_port, ONE_ANSWER_LOST_IN, Random(f"{seed}/answers"))
        self.gateway_ports = [free_port() for _ in range(gateways)]
        self.settings = self._settings(proxy_port)
        self._sandbox = self._make_sandbox()

    def _settings(self, proxy_port: int) -> Settings:
        sandbox_port = free_port()
        return Settings(
            database_url=f"postgresql+asyncpg://postgres@127.0.0.1:{proxy_port}/postgres",
            temporal_address=self.temporal.address,
            embedded="temporal,postgres",
            data_dir=self.folder,
            gateway_port=self.gateway_ports[0],
            sandbox_port=sandbox_port,
            notify_url=f"http://127.0.0.1:{sandbox_port}/hooks",
            metrics_port=0,
            requests_per_minute=1_000_000,
            graceful_shutdown_s=1,
            workflow_task_timeout_s=5,  # a busy machine must still be able to end a task in time
            sticky_timeout_s=1,
            **WINDOWS,  # type: ignore[arg-type]
        )

    def _make_sandbox(self) -> Process:
        settings = self.settings
        arguments = ["-m", "providers.sandbox", "--port", str(settings.sandbox_port)]
        arguments += ["--state", str(self.folder / "sandbox.db")]
        arguments += ["--notify-url", f"{settings.gateway_url}/webhooks/payments"]
        arguments += ["--webhook-secret", settings.webhook_secret.get_secret_value()]
        return Process("sandbox", arguments, settings, lambda _: answers(settings.sandbox_port))

    @property
    def dsn(self) -> str:
        """The database's own address, past the proxy."""
        return self.postgres.url.replace("postgresql+asyncpg://", "postgresql://")

    @property
    def owner_url(self) -> str:
        return self.postgres.url

    async def start(self) -> None:
        for child in (self.postgres, self.temporal, self._sandbox):
            child.launch()
        await self.forker.start()
        await self._until_healthy(self.postgres)
        await self.proxy.start()
        await upgrade(self.postgres.url)
        await self._until_healthy(self.temporal)
        await self._until_healthy(self._sandbox)
        for number, port in enumerate(self.gateway_ports):
            self.forker.keep(f"gateway-{number}", "gateway", self._environment(gateway_port=port))
        for number in range(self._workers):
            self.forker.keep(f"worker-{number}", "worker", self._environment())
        while not all([await asyncio.to_thread(answers, port) for port in self.gateway_ports]):  # noqa: ASYNC110 - HTTP
            await asyncio.sleep(0.1)

    def _environment(self, **more: int) -> dict[str, str]:
        found = self.settings.model_copy(update=more).environment()
        return {**found, KILLS: str(self.kill_plans), CONTROL: "1" if self._control else ""}

    async def stop(self) -> None:
        await self.forker.stop()
        await self.proxy.stop()
        for child in (self._sandbox, self.temporal, self.postgres):
            await asyncio.to_thread(child.stop)

    # --- killing

    def kill_one(self, role: str, pick: float) -> None:
        """Kill one of the processes of a role that are alive; `pick`, from 0 to 1, says which."""
        alive = sorted(self.forker.named(role))
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(alive[int(pick * len(alive))], signal.SIGKILL)
                self.kills.append(Kill(role))

    async def dies_at(self, activity: str, within_s: float) -> bool:
        """Have the next worker that comes to this activity die there. Returns False when none came in time."""
        plan = self.kill_plans / activity
        plan.touch()
        until = time.monotonic() + within_s
        while plan.exists() and time.monotonic() < until:  # noqa: ASYNC110 - another process takes the file
            await asyncio.sleep(0.05)
        try:
            plan.unlink()
        except FileNotFoundError:
            self.kills.append(Kill("worker at a commit"))
            return True
        return False

    async def kill_temporal(self) -> None:
        self.kills.append(Kill("Temporal"))
        await self._kill_and_restart(self.temporal)

    async def kill_postgres(self) -> None:
        self.kills.append(Kill("PostgreSQL"))
        await self._kill_and_restart(self.postgres)

    async def _kill_and_restart(self, server: Child) -> None:
        server.kill()
        for _ in range(20):
            try:
                # It is launched in this thread, since the server dies with the thread that launched it.
                server.launch()
                await self._until_healthy(server)
            except ServerFailed:
                await asyncio.sleep(0.2)  # what is left of the killed one is still ending
            else:
                return
        raise ServerFailed(f"{server.name} does not come back: {server.tail()}")

    async def _until_healthy(self, child: Child) -> None:
        until = time.monotonic() + HEALTHY_WITHIN_S
        while not await asyncio.to_thread(child.healthy):
            if not child.running or time.monotonic() > until:
                raise child.failure(HEALTHY_WITHIN_S)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def open_processes(
    folder: Path, seed: int, *, workers: int = 3, gateways: int = 2, control: bool = False
) -> AsyncIterator[Processes]:
    processes = Processes(folder, seed, workers=workers, gateways=gateways, control=control)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()
