"""SIGKILL the worker right after each activity's commit: after the restart the effect is there once.

Each order is killed at one point of its own. All that are asked for are in flight at once, so that the timeouts of many
run together; one by itself: `pytest tests/kill -k after_reserve_stock`.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.embedded import Postgres
from tests.kill.lives import AFTER, BEFORE, Life, Order
from tests.kill.mortal import last_words, mortal
from tests.support.servers import a_shop
from tests.support.shop import Shop

MOST_S = 240  # an order that is stuck says which it is
GROUPS = 5  # each with a worker of its own: a kill sets back only the orders of its group


@dataclass(frozen=True)
class Point:
    """Where in its life an order's worker is killed."""

    life: Life
    plan: str  # as `tests.kill.worker` reads it
    name: str


POINTS = [
    *(Point(life, step, f"after_{step}") for life, steps in AFTER.items() for step in steps),
    *(Point(life, f"{step}@before", f"before_{step}") for life, steps in BEFORE.items() for step in steps),
]


@dataclass
class UnderKills:
    """The orders of the chosen points, each with its life under way."""

    folder: Path
    orders: dict[Point, Order] = field(default_factory=dict)
    lives: dict[Point, asyncio.Task[None]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)  # of the workers: what each process returned

    def begin(self, shop: Shop, point: Point) -> None:
        self.orders[point] = order = Order(shop, self.folder, point.plan)
        self.lives[point] = asyncio.create_task(asyncio.wait_for(point.life(order), MOST_S))


@pytest.fixture(scope="module")
async def killers(postgres: Postgres, client: Client) -> AsyncIterator[Shop]:
    """A shop with a database and a sandbox of its own, so that no worker but those to be killed has a hand in it."""
    async with a_shop(postgres, client, "killed", worked=False) as shop:
        yield shop


def chosen(request: pytest.FixtureRequest) -> list[Point]:
    """The points whose tests are to run."""
    mine = (item for item in request.session.items if item.parent is request.node)
    params = [item.callspec.params["point"] for item in mine if isinstance(item, pytest.Function)]
    return [point for point in params if isinstance(point, Point)]


@pytest.fixture(scope="module")
async def under_kills(
    request: pytest.FixtureRequest, killers: Shop, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[UnderKills]:
    points = chosen(request)
    under = UnderKills(tmp_path_factory.mktemp("kills"))
    async with AsyncExitStack() as workers:
        for number in range(min(GROUPS, len(points))):
            shop = await workers.enter_async_context(mortal(killers, under.folder, f"killed-{number}", under.ends))
            for point in points[number::GROUPS]:
                under.begin(shop, point)
        yield under
        for life in under.lives.values():
            life.cancel()
        await asyncio.gather(*under.lives.values(), return_exceptions=True)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
async def test_killed_once_every_effect_is_there_once(under_kills: UnderKills, point: Point) -> None:
    """One SIGKILL right after a commit (or, for calls that leave the house, also before the call)."""
    try:
        await under_kills.lives[point]
    except Exception as fault:
        raise AssertionError(f"{fault!r}\n{last_words(under_kills.folder)}") from fault
    assert not under_kills.orders[point].planned, "this point was never reached"
    assert set(under_kills.ends) == {-signal.SIGKILL}, "no worker ended by itself"
    assert len(under_kills.ends) <= len(under_kills.orders), "one kill for each point"
