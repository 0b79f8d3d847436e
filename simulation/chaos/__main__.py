"""`python -m simulation.chaos --seed 7 --orders 300`: one run, with live progress. Exit status 1 on a violation."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from simulation.chaos.faults import Rates
from simulation.chaos.report import Report
from simulation.chaos.run import Config, Simulation, simulate


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m simulation.chaos", description=__doc__)
    options.add_argument("--seed", type=int, default=None, help="another each time, unless it is given")
    options.add_argument("--orders", type=int, default=200)
    options.add_argument("--per-second", type=float, default=2.0, help="how fast orders arrive")
    options.add_argument("--workers", type=int, default=3)
    options.add_argument("--drain", type=float, default=60.0, help="seconds in which everything must have ended")
    options.add_argument("--folder", type=Path, default=None, help="where data and logs are kept")
    options.add_argument("--control", action="store_true", help="switch the operation keys off: it must fail")
    options.add_argument("--calm", action="store_true", help="no faults: only the workload")
    return options.parse_args()


def _table(simulation: Simulation) -> Table:
    table = Table(title=f"seed {simulation.config.seed}: {simulation.stage}", title_justify="left", show_header=False)
    outcomes = Counter(one.outcome.lower() for one in simulation.seen.checkouts)
    kills = Counter(kill.what for kill in simulation.processes.kills)
    rows = {
        "orders": f"{len(simulation.seen.checkouts)} of {simulation.config.orders}, {simulation.ended} lived",
        "checkouts": ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
        "acts acknowledged": str(len(simulation.gate.figures.successes)),
        "kills": ", ".join(f"{count} {name}" for name, count in sorted(kills.items())),
        "answers lost": str(simulation.processes.proxy.lost),
        "snapshots": str(simulation.auditor.snapshots),
        "violations": str(len(simulation.auditor.violations)),
    }
    for name, value in rows.items():
        table.add_row(name, value, style="red" if name == "violations" and value != "0" else "")
    return table


def _line(simulation: Simulation) -> str:
    """The figures of the table in one line, for where there is no terminal."""
    seen, kills = simulation.seen, len(simulation.processes.kills)
    return (
        f"{simulation.stage}: {len(seen.checkouts)} orders, {simulation.ended} lived, {kills} kills,"
        f" {len(simulation.gate.figures.successes)} acts, {len(simulation.auditor.violations)} violations"
    )


async def _run(config: Config, folder: Path, console: Console) -> Report:
    with Live(console=console, refresh_per_second=2) as live:
        drawing: list[asyncio.Task[None]] = []

        async def draw(simulation: Simulation) -> None:
            while True:
                if console.is_terminal:
                    live.update(_table(simulation))
                else:
                    console.print(_line(simulation), soft_wrap=True, highlight=False, markup=False)
                await asyncio.sleep(0.5 if console.is_terminal else 10)

        report = await simulate(config, folder, lambda started: drawing.append(asyncio.create_task(draw(started))))
        for task in drawing:
            task.cancel()
    return report


def main() -> int:
    given = _options()
    config = Config(
        seed=given.seed if given.seed is not None else secrets.randbelow(1_000_000),
        orders=given.orders,
        per_second=given.per_second,
        workers=given.workers,
        drain_s=given.drain,
        control=given.control,
        rates=Rates(0, 0, 0, 0, 0) if given.calm else Rates(),
    )
    console = Console()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        report = asyncio.run(_run(config, given.folder or Path(temporary), console))
    for line in report.lines():
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if not report.passed:
        again = f"make simulate SEED={config.seed} ORDERS={config.orders}"
        sys.stderr.write(f"not passed; the same again: {again}\n")
    return 0 if report.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
