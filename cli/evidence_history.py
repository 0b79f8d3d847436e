"""The third witness of what was sold: the digests in the history of the order's run, until its retention ends."""

import json
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import MarkerRecordedEventAttributes
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

PRICING = "price_cart"  # the local activity that priced the order


async def digests_in_history(client: Client, order_no: str) -> dict[int, str]:
    """The digests of the lines by line number; empty when the run or its history is gone, and for a run that was
    started over: it found its order in the database and priced nothing."""
    run = client.get_workflow_handle(f"order/{order_no}")
    try:
        async for event in run.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
                answer = await _answer(client, event.marker_recorded_event_attributes)
                if answer is not None:
                    return {line["line_no"]: line.get("digest", "") for line in answer["lines"]}
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return {}


async def _answer(client: Client, marker: MarkerRecordedEventAttributes) -> dict[str, Any] | None:
    """The priced order, if the marker is that of the pricing activity; else None."""
    if marker.marker_name != "core_local_activity" or "result" not in marker.details:
        return None
    about = json.loads(marker.details["data"].payloads[0].data)
    if about.get("activity_type") != PRICING:
        return None
    (answer,) = await client.data_converter.decode(marker.details["result"].payloads)
    return answer.get("order") if isinstance(answer, dict) else None
