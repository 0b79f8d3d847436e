"""CPU time and memory of the processes that are measured, for each process separately."""

import os
from collections.abc import Mapping

import psutil

Used = Mapping[str, float]


class Meter:
    """Measures processes. `of` maps the name that a process is reported under to its id. Children of a process count
    with it."""

    def __init__(self, of: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in {**of, "load": os.getpid()}.items()}

    def cpu_s(self) -> Used:
        """The CPU seconds of each process since it began, by name."""
        return {name: _cpu_s(process) for name, process in self._processes.items()}

    def rss_mb(self, name: str) -> float:
        return float(self._processes[name].memory_info().rss) / 2**20


def _cpu_s(process: psutil.Process) -> float:
    total = _own(process)
    if process.pid == os.getpid():
        return total  # the servers are our children, but are reported under names of their own
    for child in process.children(recursive=True):
        try:
            total += _own(child)
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile, and counts among its parent's ended children
    return total


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    mine = times.user + times.system
    if process.pid == os.getpid():
        return float(mine)
    return float(mine + times.children_user + times.children_system)


def spent(before: Used, after: Used) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}
