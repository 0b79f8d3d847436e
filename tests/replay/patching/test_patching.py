"""The example of docs/changing-a-story.md holds: which version can go on with which run."""

import pytest
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.replay.files import Recorded, recorded
from tests.replay.patching import HISTORIES
from tests.replay.patching.versions import Before, Careless, Deprecated, Patched

BY_NAME = {one.path.stem: one for one in recorded(HISTORIES)}

REPLAYS = [
    ("before", Before),
    ("before", Patched),
    ("before-open", Patched),
    ("patched", Patched),
    ("patched", Deprecated),
    ("deprecated", Deprecated),
    ("deprecated", Careless),  # the plain code of step 3: the marker of a deprecated patch may go unheard
]
BREAKS = [
    ("before", Careless),  # without a patch
    ("before", Deprecated),  # the patch was deprecated too early
    ("patched", Before),  # a patched release can't be rolled back
    ("patched", Careless),  # step 2 was left out
]


async def replay(history: str, version: type) -> None:
    one: Recorded = BY_NAME[history]
    await Replayer(workflows=[version]).replay_workflow(one.history)


@pytest.mark.parametrize(("history", "version"), REPLAYS)
async def test_a_run_goes_on_under_the_version(history: str, version: type) -> None:
    await replay(history, version)


@pytest.mark.parametrize(("history", "version"), BREAKS)
async def test_a_run_breaks_under_the_version(history: str, version: type) -> None:
    with pytest.raises(NondeterminismError, match="TMPRL1100"):
        await replay(history, version)


def test_every_history_of_the_example_is_replayed() -> None:
    assert set(BY_NAME) == {history for history, _ in REPLAYS}
