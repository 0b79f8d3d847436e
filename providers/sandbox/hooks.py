"""The webhook address for alarms and notices, which keeps what it receives."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import JsonValue, RootModel

from providers.sandbox.problems import body
from providers.sandbox.state import TheState

router = APIRouter(prefix="/hooks")


class HookBody(RootModel[dict[str, JsonValue]]):
    """Any JSON object."""


@router.post("/{topic:path}")
async def receive(
    state: TheState,
    topic: str,
    webhook_id: Annotated[str, Header(min_length=1)],
    message: Annotated[HookBody, Depends(body(HookBody))],
) -> dict[str, str]:
    """Keep a message. Idempotency key: the topic with `webhook-id`; a repeat is counted, not kept again."""
    with state.transaction() as db:
        db.execute(
            "INSERT INTO hooks (topic, message_id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (topic, message_id) DO UPDATE SET deliveries = deliveries + 1",
            (topic, webhook_id, message.model_dump_json()),
        )
    return {"message_id": webhook_id}


@router.get("")
async def received(state: TheState, topic: str | None = None) -> list[dict[str, Any]]:
    """All messages, or those of one topic, in the order in which they first came."""
    rows = state.db.execute(
        "SELECT topic, message_id, body, deliveries FROM hooks WHERE ?1 IS NULL OR topic = ?1 ORDER BY seq",
        (topic,),
    )
    return [{**dict(row), "body": json.loads(row["body"])} for row in rows]
