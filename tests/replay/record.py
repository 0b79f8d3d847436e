"""Record the histories that the replay tests replay: `make histories`.

Plays every story on the real servers, with short windows, and keeps one file per run. All of them are recorded
afresh and replaced together at the end, so that a recording that fails leaves the old ones as they were.
"""

import argparse
import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from runtime.temporal import DATA_CONVERTER
from store.database.engine import engine_for
from tests.replay import after_sale_stories, audit_stories, bad_days, more_stories, patching, stories, trade_stories
from tests.replay.files import HISTORIES, RECORDER, compact
from tests.replay.patching.record import play as play_patching
from tests.replay.stage import STORIES, Stage, Story
from tests.support.servers import a_database, a_postgres, a_sandbox, a_temporal, a_webhook, open_shop
from tests.support.shop import Shop, until, working
from workflows import run_names

AT_ONCE = 8
PATIENCE_S = 60.0
PATCHING = "patching"
__all__ = [
    "after_sale_stories",
    "audit_stories",
    "bad_days",
    "more_stories",
    "stories",
    "trade_stories",
]  # importing them registers their stories

Handle = WorkflowHandle[object, object]
Files = dict[Path, str]


@asynccontextmanager
async def the_shop() -> AsyncIterator[Shop]:
    with a_postgres() as postgres, a_temporal() as temporal:
        url = await a_database(postgres, "shop")
        engine = engine_for(url)
        client = await Client.connect(temporal.address, data_converter=DATA_CONVERTER, identity=RECORDER)
        async with (
            a_webhook(engine) as webhook,
            a_sandbox(webhook) as port,
            open_shop(client, url, engine, port, "orders") as shop,
            working(shop.settings, client),
        ):
            yield shop
        await engine.dispose()


class Recording:
    """What has been recorded so far."""

    def __init__(self, shop: Shop, total: int) -> None:
        self.files: Files = {}
        self._shop = shop
        self._total = total
        self._done = 0

    async def play(self, chosen: list[Story]) -> None:
        """First those that need no bad day, some at once; then each bad day with all of its stories at once."""
        places = asyncio.Semaphore(AT_ONCE)

        async def in_turn(story: Story) -> None:
            async with places:
                await self._record(story, Stage(self._shop, self._shop.bad_days))

        async with asyncio.TaskGroup() as group:
            for story in chosen:
                if not story.day:
                    group.create_task(in_turn(story))
        for day, trouble in bad_days.DAYS.items():
            await self._play_day([story for story in chosen if story.day == day], trouble)

    async def _play_day(self, chosen: list[Story], trouble: dict[str, object]) -> None:
        left = len(chosen)
        over = asyncio.Event()

        async def better() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                await self._shop.bad_days()
                over.set()
            await over.wait()

        async def one(story: Story) -> None:
            await self._record(story, Stage(self._shop, better))
            if story.open:
                await better()

        await self._shop.bad_days(**trouble)
        async with asyncio.TaskGroup() as group:
            for story in chosen:
                group.create_task(one(story))

    async def _record(self, story: Story, stage: Stage) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await story.play(stage)
                runs = [run for payment in stage.about for run in await self._runs(payment)]
                runs += [self._shop.client.get_workflow_handle(audit) for audit in stage.audits]
                for handle in runs:
                    await self._keep(story, handle)
        except BaseException as error:
            error.add_note(f"while recording {story.name}")
            raise
        self._done += 1
        took = time.monotonic() - began
        print(f"{self._done:3}/{self._total} {story.name}: {len(runs)} histories, {took:.1f} s", flush=True)

    async def _runs(self, payment: str) -> list[Handle]:
        """The order's run, its sub-orders' runs, those of its cases, and of the money that it did not want."""
        order = self._shop.client.get_workflow_handle(run_names.order_id(payment))
        found: list[Handle] = []
        with suppress(RPCError):
            found.append(self._shop.client.get_workflow_handle(order.id, run_id=(await order.describe()).run_id))
            async for event in order.fetch_history_events():
                if event.HasField("child_workflow_execution_started_event_attributes"):
                    child = event.child_workflow_execution_started_event_attributes.workflow_execution
                    found.append(self._shop.client.get_workflow_handle(child.workflow_id, run_id=child.run_id))
        found += await self._others(payment, {run.id for run in found})
        cases = await self._shop.sql(
            "SELECT case_no FROM after_sale_keys WHERE sub_order_no IN"
            " (SELECT sub_order_no FROM sub_orders WHERE order_no::text = :no) ORDER BY case_no",
            no=payment,
        )
        found += [self._shop.client.get_workflow_handle(run_names.after_sale_id(row.case_no)) for row in cases]
        captures = await self._shop.sql("SELECT capture_id FROM captures WHERE payment_id = :no", no=payment)
        for row in captures:
            stray: Handle = self._shop.client.get_workflow_handle(run_names.stray_payment_id(row.capture_id))
            try:
                await stray.result()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                found.append(stray)
        return found

    async def _others(self, order_no: str, known: set[str]) -> list[Handle]:
        """Runs of sub-orders that the order's own run did not start: the one before it did."""
        rows = await self._shop.sql(
            "SELECT sub_order_no FROM sub_orders WHERE order_no::text = :no ORDER BY sub_order_no", no=order_no
        )
        ids = [run_names.sub_order_id(row.sub_order_no) for row in rows]
        found: list[Handle] = []
        for workflow_id in [one for one in ids if one not in known]:
            with suppress(RPCError):  # not started yet
                run_id = (await self._shop.client.get_workflow_handle(workflow_id).describe()).run_id
                found.append(self._shop.client.get_workflow_handle(workflow_id, run_id=run_id))
        return found

    async def _keep(self, story: Story, handle: Handle) -> None:
        described = await until(handle.describe, lambda run: at_rest(run, story))
        folder = handle.id.split("/")[0].replace("-", "_")
        path = Path(folder) / f"{story.name}.json"
        nth = 1
        while path in self.files:
            nth += 1
            path = Path(folder) / f"{story.name}-{nth}.json"
        self.files[path] = compact(await handle.fetch_history())
        if handle.id.startswith("order/") and story.open is (described.close_time is not None):
            raise AssertionError(f"{handle.id} is {described.status}")


def at_rest(run: WorkflowExecutionDescription, story: Story) -> bool:
    """Ended, where an order's story is to end. Else not in the middle of a task, where there is half a history; nor,
    on a good day, of a call that will be done."""
    if run.close_time is not None:
        return True
    if run.id.startswith("order/") and not story.open:
        return False
    raw = run.raw_description
    busy = raw.HasField("pending_workflow_task") or (raw.pending_activities and not story.day)
    return not busy


def replace(folder: Path, files: Files, *, all_of_them: bool) -> None:
    if all_of_them:
        shutil.rmtree(folder, ignore_errors=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


async def record(only: list[str]) -> None:
    """`only`: these stories alone; none named: all of them."""
    began = time.monotonic()
    names = [story.name for story in STORIES] + [PATCHING]
    if unknown := sorted(set(only) - set(names)):
        raise SystemExit(f"there is no story {unknown[0]!r}; there are: {', '.join(names)}")
    chosen = [story for story in STORIES if not only or story.name in only]
    async with the_shop() as shop:
        recording = Recording(shop, len(chosen))
        await recording.play(chosen)
        example = await play_patching(shop.client) if not only or PATCHING in only else {}
    replace(HISTORIES, recording.files, all_of_them=not only)
    replace(patching.HISTORIES, example, all_of_them=bool(example))
    count = len(recording.files) + len(example)
    print(f"{count} histories in {time.monotonic() - began:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.replay.record", description=__doc__)
    told = f"these stories alone, or {PATCHING!r}; the others are kept"
    parser.add_argument("--only", metavar="NAME", nargs="+", default=[], help=told)
    only = parser.parse_args().only
    logging.basicConfig(level=logging.ERROR)  # the bad days' warnings are wanted here
    asyncio.run(record(only))


if __name__ == "__main__":
    main()
