"""Alarms and notices, posted to a webhook address."""

from typing import Any

from providers.calls import HttpParty, segment


class HttpNotifier(HttpParty):
    """Posts to `{url}/{topic}`. The receiver knows a repeat by the header `webhook-id`."""

    party = "notifier"

    async def post(self, topic: str, message_id: str, body: dict[str, Any]) -> None:
        """Deliver one message; anything but a 2xx raises `PartyFault`, and it is to be posted again."""
        await self._ask("POST", f"/{segment(topic)}", json=body, headers={"webhook-id": message_id})
