"""`python -m simulation.bench [PART …]`: runs all parts, or those named. `make bench` sets up what they need."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop
from rich.console import Console

from runtime.embedded import ServerFailed
from runtime.up import ROOT, SetupError
from simulation.bench import flash, flash_page, growth, growth_page, orders, stock, stock_rounds, tried
from simulation.bench.charts import Chart
from simulation.bench.machine import this_machine
from simulation.bench.progress import Show
from simulation.bench.report import Page


@dataclass(frozen=True)
class Wanted:
    """How large the benchmark is to be. `open` is how many orders wait at the end of part 3, in addition to the usual
    numbers (0: no more)."""

    quick: bool = False
    open: int = 0


def _growth(wanted: Wanted) -> growth.Sizes:
    sizes = growth.QUICK if wanted.quick else growth.Sizes()
    return replace(sizes, open_orders=(*sizes.open_orders, wanted.open)) if wanted.open else sizes


Part = Callable[[Wanted, Show], Awaitable[tuple[Page, Chart]]]

PARTS: Mapping[str, Part] = {
    "stock": lambda wanted, show: stock.run(stock.QUICK if wanted.quick else stock_rounds.Sizes(), show),
    "orders": lambda wanted, show: orders.run(orders.QUICK if wanted.quick else orders.Sizes(), show),
    "growth": lambda wanted, show: growth_page.run(_growth(wanted), show),
    "flash": lambda wanted, show: flash_page.run(flash.QUICK if wanted.quick else flash.Sizes(), show),
    "tried": lambda wanted, show: tried.run(tried.QUICK if wanted.quick else tried.Sizes(), show),
}


async def bench(parts: list[str], out: Path, wanted: Wanted, console: Console) -> bool:
    """Run the parts and write their pages; returns whether every check held. A target that is not met is a finding, not
    a failure."""
    machine = this_machine()
    good = True
    with Show(console) as show:
        show.say(str(machine))
        for name in parts:
            page, chart = await PARTS[name](wanted, show)
            drawn = chart.draw(out / f"{name}.png")
            written = page.write(out, machine, chart=drawn)
            show.say(f"{name}: {written.relative_to(ROOT) if written.is_relative_to(ROOT) else written.name}")
            for target in page.targets:
                show.say(f"  {target.what}: {target.reached:.2f}, wanted {target.wanted:g}")
            good = good and page.good
    return good


def main() -> int:
    """Run the benchmark; the exit status is 0 when every check held, 1 when one did not or a server did not start."""
    asked = argparse.ArgumentParser(prog="make bench", description=__doc__)
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all of them")
    asked.add_argument("--quick", action="store_true", help="sizes for a look at the harness, not at the figures")
    asked.add_argument("--open", type=int, default=0, help="growth: end with so many orders that wait, like 10000")
    asked.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks", help="where the pages go")
    given = asked.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        asked.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    try:
        wanted = Wanted(given.quick, given.open)
        good = uvloop.run(bench(given.parts or list(PARTS), given.out, wanted, Console()))
    except (SetupError, ServerFailed) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
