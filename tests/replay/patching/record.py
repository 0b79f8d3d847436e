"""Plays the example's versions and records their histories; run by `make histories` with all others."""

import uuid
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from tests.replay.files import compact
from tests.replay.patching.versions import Before, Deprecated, Patched, insure, label, weigh
from tests.support.shop import until

ENDED = {"before": Before, "patched": Patched, "deprecated": Deprecated}


async def play(client: Client) -> dict[Path, str]:
    files = {Path(f"{name}.json"): await _recorded(client, version) for name, version in ENDED.items()}
    return files | {Path("before-open.json"): await _recorded(client, Before, packed=False)}


async def _recorded(client: Client, version: type, *, packed: bool = True) -> str:
    queue = f"parcels-{uuid.uuid4().hex[:6]}"
    async with Worker(client, task_queue=queue, workflows=[version], activities=[weigh, insure, label]):
        handle = await client.start_workflow("Parcel", "Hangzhou", id=f"parcel/{queue}", task_queue=queue)
        if packed:
            await handle.signal("packed")
            await handle.result()
        else:
            await until(
                handle.describe,
                lambda run: run.history_length > 5 and not run.raw_description.HasField("pending_workflow_task"),
            )
    return compact(await handle.fetch_history())
