"""The machine that the benchmark ran on, described without a host name or a folder."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded import TemporalServer, postgres_folder


@dataclass(frozen=True)
class Machine:
    """The description of the machine that every page begins with."""

    cores: int
    cpu: str
    memory_gb: int
    python: str
    postgres: str
    temporal: str
    load: float  # the average of the minute before; well above 0 it means that somebody else was at work

    def __str__(self) -> str:
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gb} GB, {self.postgres}, {self.temporal}, "
            f"Python {self.python}; load average at the start {self.load:.1f}"
        )


def this_machine() -> Machine:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu=_cpu(),
        memory_gb=round(pages / 2**30),
        python=platform.python_version(),
        postgres=f"PostgreSQL {_said(str(postgres_folder() / 'bin/postgres'), '--version').split()[-1]}",
        temporal=_temporal(_said(TemporalServer.cli, "--version")),
        load=os.getloadavg()[0],
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _temporal(said: str) -> str:
    """The server's part of an answer like `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`."""
    _, _, server = said.partition("Server ")
    return f"Temporal dev server {server.partition(',')[0].strip(' )')}" if server else said


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout.strip()
