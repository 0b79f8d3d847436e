"""Stories on a worker that keeps no run in its memory: every single task of them is a replay, live.

The SDK's core (1.35.0; its sdk-rust pull request 1482 mends it) may drop a run without a cache while a local activity
is under way. The task then times out and is given out again: nothing is lost, but a caller has to be patient, as those
of a test's shop are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from tests.support.servers import open_shop
from tests.support.shop import Shop, working
from tests.workflows import test_stories as stories

NO_CACHE = {"max_cached_workflows": 0, "workflow_task_timeout_s": 2}

Play = Callable[[Shop], Awaitable[None]]


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


@pytest.mark.parametrize(
    "play",
    [
        stories.test_paid_shipped_delivered_and_received_by_the_buyer_and_by_the_clock,
        stories.test_a_buyer_who_cancels_after_paying_is_refunded,
        stories.test_a_review_holds_the_dispatch_until_a_person_approves,
        stories.test_a_hand_over_that_fails_shows_on_both_runs_and_heals_by_itself,
    ],
    ids=lambda play: play.__name__.removeprefix("test_"),
)
async def test_a_story_ends_as_it_should_when_every_task_is_a_replay(forgetful: Shop, play: Play) -> None:
    await play(forgetful)
