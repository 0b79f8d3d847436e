"""Stories on a worker that keeps no run in its memory: every single task of them is a replay, live.

The SDK's core (1.35.0; its sdk-rust pull request 1482 mends it) may drop a run without a cache while a local activity
is under way. The task then times out and is given out again: nothing is lost, but a caller has to be patient, as those
of a test's shop are.
"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from tests.support.servers import open_shop
from tests.support.shop import Shop, working
from tests.support.stories import PLAYED, Story

NO_CACHE = {"max_cached_workflows": 0, "workflow_task_timeout_s": 2}


@pytest.fixture(scope="module")
async def forgetful(
    client: Client, shop_database: str, shop_engine: AsyncEngine, sandbox_port: int
) -> AsyncIterator[Shop]:
    async with (
        open_shop(client, shop_database, shop_engine, sandbox_port, "no-cache", **NO_CACHE) as shop,
        working(shop.settings, client),
    ):
        yield shop
        await shop.bad_days()


@pytest.mark.parametrize("story", PLAYED, ids=lambda story: story.__name__)
async def test_a_story_ends_as_it_should_when_every_task_is_a_replay(forgetful: Shop, story: Story) -> None:
    await story(forgetful)
