"""The figures of a simulation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulation.chaos.auditor.violation import Violation
from simulation.chaos.processes import Kill


@dataclass
class Report:
    """The result of a simulation. It passes if it drained in time, without a violation and with nothing unexpected."""

    seed: int
    orders: int
    outcomes: dict[str, int]
    kills: dict[str, int]
    operations: dict[str, int]
    answers_lost: int
    bad_days: int
    requests: int
    unanswered: int
    snapshots: int
    checks: int
    facts: int
    recovery_s: list[float]
    load_s: float
    drain_s: float
    drained: bool
    violations: list[Violation] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.drained and not self.violations and not self.unexpected

    def lines(self) -> list[str]:
        """The report as lines for people."""
        worker_kills = self.kills.get("worker", 0) + self.kills.get("worker at a commit", 0)
        return [
            f"seed {self.seed}: {self.orders} orders in {self.load_s:.0f} s: {_told(self.outcomes)}",
            f"kills: {worker_kills} of workers in all; {_told(self.kills)}",
            f"operators: {_told(self.operations)}; {self.answers_lost} answers lost, {self.bad_days} bad days",
            f"{self.requests} requests, {self.unanswered} without an answer",
            f"time to recover: median {quantile(self.recovery_s, 0.5):.1f} s,"
            f" p99 {quantile(self.recovery_s, 0.99):.1f} s",
            f"drained {'in' if self.drained else 'NOT within'} {self.drain_s:.0f} s after the last fault",
            f"{self.checks} checks in {self.snapshots} snapshots, {self.facts} facts at the end",
            f"{len(self.violations)} violations, {len(self.unexpected)} unexpected",
            *(f"VIOLATION {violation}" for violation in self.violations),
            *(f"UNEXPECTED {what}" for what in self.unexpected[:20]),
        ]


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def recovery_s(kills: Sequence[Kill], successes: Sequence[tuple[float, float]]) -> list[float]:
    """How long after each kill the first act that was asked for after it was acknowledged, in seconds, sorted."""
    found = []
    for kill in kills:
        after = [answered for asked, answered in successes if asked >= kill.at]
        if after:
            found.append(min(after) - kill.at)
    return sorted(found)


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile of sorted values; 0 if there are none."""
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0.0


def by_kind(kills: Sequence[Kill]) -> dict[str, int]:
    return dict(Counter(kill.what for kill in kills))
