"""Posts alarms and notices to a webhook address."""

from typing import Any

from providers.calls import HttpParty, segment


class HttpNotifier(HttpParty):
    """Posts messages to `{url}/{topic}`. The receiver recognises a repeat by the header `webhook-id`."""

    party = "notifier"

    async def post(self, topic: str, message_id: str, body: dict[str, Any]) -> None:
        """Deliver one message. Anything but a 2xx raises PartyFault, and the message must be posted again. Idempotency
        key: `message_id`."""
        await self._ask("POST", f"/{segment(topic)}", json=body, headers={"webhook-id": message_id})
