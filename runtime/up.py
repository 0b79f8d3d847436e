"""`make up`: runs everything on this machine until Ctrl-C. `Stack` does the same for the demo and for tests."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from temporalio.service import RPCError

from runtime.embedded import HOST, Child, Postgres, ServerFailed, TemporalServer, get
from runtime.settings import Running, Settings, load_without_servers
from runtime.temporal import (
    Unreachable,
    connect,
    ensure_search_attributes,
    operator_links,
    worker_polls,
)
from workflows import run_names

ROOT = Path(__file__).parent.parent
EVERYTHING = ("temporal", "postgres", "sandbox", "gateway", "worker")
HEALTHY_WITHIN_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0


class SetupError(Exception):
    """Raised when the stack can't start here and now; the message says why, and what to do. `make up` and the demo
    print it and end with 1."""


class Process(Child):
    """One of our own Python processes."""

    def __init__(self, name: str, arguments: list[str], settings: Settings, health: Callable[[datetime], bool]):
        super().__init__(settings.data_dir / f"{name}.log")
        self.name = name
        self.cwd = ROOT
        self.env = settings.environment() | {"PYTHONUNBUFFERED": "1"}
        self.stop_within_s = settings.graceful_shutdown_s + 10.0
        self._arguments = arguments
        self._health = health
        self._launched = datetime.now(UTC)

    def command(self) -> list[str]:
        self._launched = datetime.now(UTC)
        return [sys.executable, *self._arguments]

    def healthy(self) -> bool:
        return self.running and self._health(self._launched)


class Stack:
    """The servers and our processes: inside `async with Stack(settings) as stack:` all of them are up and healthy.

    `only` names those to start. `stack.settings` has the addresses. A process that ends is started again, so that
    `stack.child("worker").kill()` is a crash. Use it from the main thread. Raises SetupError and ServerFailed."""

    def __init__(
        self,
        settings: Settings,
        *,
        only: Collection[str] = EVERYTHING,
        console: Console | None = None,
        search_attributes: Mapping[str, str] = run_names.REGISTERED,
    ) -> None:
        self.settings = settings.model_copy(update={"data_dir": settings.data_dir.absolute()})
        self._only = [name for name in only if name not in self._elsewhere()]
        self._console = console or Console(quiet=True)
        self._search_attributes = dict(search_attributes)
        self._children: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._lock = contextlib.ExitStack()
        self._up_json = self.settings.data_dir / "up.json"

    @property
    def temporal_ui(self) -> str:
        """The address of the embedded Temporal's web UI; empty when another Temporal is used."""
        server = self._children.get("temporal")
        return server.ui_url if isinstance(server, TemporalServer) else ""

    def child(self, name: str) -> Child:
        """One of the running processes."""
        return self._children[name]

    async def __aenter__(self) -> Self:
        try:
            self._lock.enter_context(exclusive(self.settings.data_dir))
            self._up_json.unlink(missing_ok=True)  # a stack that was killed has left it behind
            await refuse_taken_ports(self._ports())
            with self._console.status("starting"):
                await self._start_servers()
                await self._prepare()
                await self._bring_up(self._processes())
            self._announce()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start_servers(self) -> None:
        settings = self.settings
        servers: dict[str, Child] = {}
        if "temporal" in self._only:
            ports = settings.temporal_port, settings.temporal_ui_port
            temporal = TemporalServer(settings.data_dir, *ports, search_attributes=self._search_attributes)
            servers["temporal"] = temporal
            settings = settings.model_copy(update={"temporal_address": temporal.address})
        if "postgres" in self._only:
            postgres = Postgres(settings.data_dir)
            servers["postgres"] = postgres
            settings = settings.model_copy(update={"database_url": postgres.url})
        self.settings = settings.model_copy(update={"embedded": ",".join(servers)})
        await self._bring_up(servers)

    async def _prepare(self) -> None:
        """Prepare what the processes need before they start: the tables and the search attributes."""
        if self.settings.database_url:
            from store.database.migrate import upgrade  # brings Alembic, which is slow to import

            try:
                await upgrade(self.settings.database_url)
            except Exception as error:  # the driver, SQLAlchemy and Alembic each have errors of their own
                raise SetupError(f"the database's tables can't be made: {type(error).__name__}: {error}") from error
            self._say("the database's tables are up to date")
        if "temporal" in self._elsewhere():
            try:
                await ensure_search_attributes(await connect(self.settings), self._search_attributes)
            except RPCError as error:
                names = ", ".join(self._search_attributes)
                raise SetupError(f"register these search attributes first ({error}): {names}") from error

    def _processes(self) -> dict[str, Child]:
        settings = self.settings
        secret = settings.webhook_secret.get_secret_value()
        sandbox = ["--port", str(settings.sandbox_port), "--state", str(settings.data_dir / "sandbox.db")]
        sandbox += ["--notify-url", f"{settings.gateway_url}/webhooks/payments", "--webhook-secret", secret]
        made = {
            "sandbox": Process(
                "sandbox", ["-m", "providers.sandbox", *sandbox], settings, lambda _: answers(settings.sandbox_port)
            ),
            "gateway": Process("gateway", ["-m", "runtime.serve"], settings, lambda _: answers(settings.gateway_port)),
            "worker": Process("worker", ["worker.py"], settings, lambda since: polls(settings, since)),
        }
        return {name: process for name, process in made.items() if name in self._only}

    async def _bring_up(self, children: Mapping[str, Child]) -> None:
        begun = time.monotonic()
        for name, child in children.items():  # all are launched before any is waited for: that uses every core
            self._children[name] = child
            child.launch()
        for child in children.values():
            await self._until_healthy(child)
            self._say(f"{child.name} is ready ({time.monotonic() - begun:.1f} s)")
            self._keepers.append(asyncio.create_task(self._keep(child)))

    async def _until_healthy(self, child: Child) -> None:
        until = time.monotonic() + HEALTHY_WITHIN_S
        while not await asyncio.to_thread(child.healthy):
            if not child.running or time.monotonic() > until:
                raise child.failure(HEALTHY_WITHIN_S)
            await asyncio.sleep(0.05)

    async def _keep(self, child: Child) -> None:
        """Start the child again whenever it ends, after longer and longer pauses while it keeps ending."""
        pause = FIRST_PAUSE_S
        while True:
            since = time.monotonic()
            while child.running:  # noqa: ASYNC110 - no event tells the end of a process
                await asyncio.sleep(0.1)
            pause = FIRST_PAUSE_S if time.monotonic() - since > STEADY_AFTER_S else pause
            self._say(f"{child.name} ended ({child.exit_code}); it starts again in {pause:g} s, see {child.log}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
            try:
                child.launch()
                await self._until_healthy(child)
            except ServerFailed as failure:
                self._say(str(failure))
            else:
                self._say(f"{child.name} is back")

    def _announce(self) -> None:
        """Tell the commands where everything is, in `up.json`. The file is moved into place, so that it is never half
        written."""
        found = Running(
            pid=os.getpid(),
            temporal_address=self.settings.temporal_address,
            temporal_ui=self.temporal_ui,
            database_url=self.settings.database_url,
            gateway_url=self.settings.gateway_url if "gateway" in self._children else "",
            sandbox_url=self.settings.sandbox_url if "sandbox" in self._children else "",
        )
        fresh = self._up_json.with_suffix(".new")
        fresh.touch(mode=0o600)  # the database's address may hold a password
        fresh.write_text(found.model_dump_json(indent=2))
        fresh.replace(self._up_json)

    async def _stop(self) -> None:
        """Stop the children in reverse order, so that the worker drains while the servers are still there."""
        for keeper in self._keepers:
            keeper.cancel()
        with self._lock:
            for child in reversed(self._children.values()):
                if child.running:
                    self._say(f"stopping {child.name}")
                await asyncio.to_thread(child.stop)
            if self._children:
                self._up_json.unlink(missing_ok=True)

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _elsewhere(self) -> set[str]:
        """The servers that, by the settings, are there already."""
        settings = self.settings
        here = {"temporal": settings.embedded_temporal, "postgres": settings.embedded_postgres}
        return {name for name, embedded in here.items() if not embedded}

    def _ports(self) -> dict[str, int]:
        """The ports that we are going to listen on, by the names of their settings."""
        owners = {
            "temporal_port": "temporal",
            "temporal_ui_port": "temporal",
            "gateway_port": "gateway",
            "sandbox_port": "sandbox",
            "metrics_port": "worker",
        }
        return {name: getattr(self.settings, name) for name, owner in owners.items() if owner in self._only}


@contextlib.contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock: there is one stack per folder. The lock ends with its process, however that ends, so
    that it is never stale. Raises SetupError."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "up.lock").open("a+")
    except OSError as error:
        raise SetupError(f"can't write to the data folder {data_dir}: {error.strerror} (ORDERS_DATA_DIR)") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "another"
            raise SetupError(
                f"it is up already: process {pid} holds {data_dir}. Use that one, stop it (`kill {pid}`), "
                "or set ORDERS_DATA_DIR and other ports for a second one"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_free(port: int) -> bool:
    """Whether we could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


async def refuse_taken_ports(ports: Mapping[str, int]) -> None:
    """Raise SetupError, before anything starts, if a port is taken or is set twice. The children of a stack that was
    just killed get a second to end."""
    wanted = {name: port for name, port in ports.items() if port}
    for _ in range(10):
        taken = {name: port for name, port in wanted.items() if not is_free(port)}
        if not taken:
            break
        await asyncio.sleep(0.1)
    lines = [f"port {port} is taken: free it, or set ORDERS_{n.upper()} to another" for n, port in taken.items()]
    for name, port in wanted.items():
        if list(wanted.values()).count(port) > 1:
            lines.append(f"ORDERS_{name.upper()} is {port}, and so is another port: give each its own")
    if lines:
        raise SetupError("\n".join(lines))


def answers(port: int) -> bool:
    """Whether our HTTP server on the port is healthy."""
    return 0 < get(port, "/health")[0] < 500


def polls(settings: Settings, since: datetime) -> bool:
    """Whether a worker has asked for work since `since`; False when Temporal does not answer."""
    try:
        return asyncio.run(worker_polls(settings, since))
    except Unreachable:
        return False


def show_links(stack: Stack, console: Console) -> None:
    """Print where everything is, and an operator's usual questions to the Temporal UI as links."""
    settings = stack.settings
    links = {"gateway": f"{settings.gateway_url}/docs", "sandbox parties": f"{settings.sandbox_url}/docs"}
    if stack.temporal_ui:
        links |= {"Temporal": stack.temporal_ui, **operator_links(stack.temporal_ui)}
    width = max(len(name) for name in links)
    for name, url in links.items():
        console.print(f"  {name:<{width}}  {url}", highlight=False, markup=False, soft_wrap=True)
    console.print("up; Ctrl-C stops it", highlight=False)


def cancel_on_signals() -> None:
    """Have Ctrl-C, SIGTERM and SIGHUP cancel this task, once: pressing Ctrl-C again does not cut the orderly stop
    short."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int) -> None:
        if not received and task:
            task.cancel()
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)


async def up(settings: Settings, only: Collection[str] = EVERYTHING) -> int:
    """Run everything until a signal comes; returns the process's exit status."""
    console = Console()
    cancel_on_signals()
    try:
        async with Stack(settings, only=only, console=console) as stack:
            show_links(stack, console)
            await asyncio.Event().wait()
            return 0
    except asyncio.CancelledError:
        console.print("stopped", highlight=False)
        return 0
    except (SetupError, ServerFailed, Unreachable) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def main() -> None:
    """The command that `make up` runs."""
    raise SystemExit(asyncio.run(up(load_without_servers())))


if __name__ == "__main__":
    main()
