"""Asks a party of the simulation until it answers, which may take a while on a busy machine."""

import asyncio
import time
from typing import Any

import httpx

PATIENCE_S = 60.0
PAUSE_S = 0.5


async def insist(http: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    """Make a request that may be repeated, until it is answered. Raises httpx.TransportError after a minute."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await http.request(method, path, **more)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_S)
