"""A shop that was left in good order by a calm simulation, to be corrupted copy by copy."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runtime.temporal import connect
from simulation.chaos.faults import Rates
from simulation.chaos.processes import open_processes
from simulation.chaos.run import Config, Simulation
from tests.support.ruins import Ruins, with_one_of_each

SEED, ORDERS = 37, 30


@pytest.fixture(scope="session")
def a_folder() -> Iterator[Callable[[], Path]]:
    """Not pytest's own: PostgreSQL's user must get through to it, and the next pytest shuts theirs."""
    with ExitStack() as folders:
        yield lambda: Path(folders.enter_context(TemporaryDirectory(prefix="chaos-")))


@pytest.fixture(scope="package")
async def ruins(a_folder: Callable[[], Path]) -> AsyncIterator[Ruins]:
    config = Config(seed=SEED, orders=ORDERS, workers=2, drain_s=150, rates=Rates(0, 0, 0, 0, 0))
    async with open_processes(a_folder(), SEED, workers=2, gateways=1) as processes:
        simulation = Simulation(config, processes)
        simulation.plan = with_one_of_each(simulation.plan)
        report = await simulation.run()
        assert report.passed, "\n".join(report.lines())
        await processes.forker.stop()
        client = await connect(processes.settings)
        yield Ruins(processes, client, simulation.sandbox, simulation.seen)
        await simulation.close()
