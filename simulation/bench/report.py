"""The page of each part: tables in Markdown, and a chart."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulation.bench.machine import Machine


@dataclass
class Table:
    """A table. `head` names the columns; the first `texts` of them are texts, the others figures."""

    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    title: str = ""
    texts: int = 1

    def markdown(self) -> str:
        ruler = ["---"] * self.texts + ["---:"] * (len(self.head) - self.texts)
        lines = [f"| {' | '.join(row)} |" for row in (self.head, ruler, *self.rows)]
        return "\n".join([*([f"## {self.title}", ""] if self.title else []), *lines])


@dataclass
class Target:
    """What was to be reached, and what was reached."""

    what: str
    wanted: float
    reached: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


@dataclass
class Page:
    """A page. `notes` say how it was measured; `targets` become a table of their own, which comes first."""

    name: str
    title: str
    notes: Sequence[str]
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # what the checks found; if there is anything, the run has failed

    @property
    def good(self) -> bool:
        return not self.wrong

    def write(self, folder: Path, machine: Machine, *, chart: bool) -> Path:
        parts = [f"# {self.title}", f"Written by `make bench PART={self.name}`. {machine}.", "\n".join(self._bullets())]
        if chart:
            parts.append(f"![{self.title}]({self.name}.png)")
        if self.targets:
            parts.append(_targets(self.targets).markdown())
        parts += [table.markdown() for table in self.tables]
        if self.wrong:
            parts.append(Table(["what was wrong"], [[one] for one in self.wrong], title="Wrong").markdown())
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.md"
        path.write_text("\n\n".join(parts) + "\n")
        return path

    def _bullets(self) -> Iterable[str]:
        yield from (f"- {note}" for note in self.notes)
        yield from (f"- **{finding}**" for finding in self.findings)


def _targets(targets: Iterable[Target]) -> Table:
    table = Table(["to reach", "wanted", "reached", ""], title="Targets")
    for target in targets:
        sign = "≤" if target.at_most else "≥"
        said = "met" if target.met else "**not met**"
        table.rows.append([target.what, f"{sign} {target.wanted:g}", number(target.reached), said])
    return table


def number(value: float) -> str:
    """A figure with about three significant digits, and with thousands separated."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def times(value: float) -> str:
    return f"{number(value)} ×"
