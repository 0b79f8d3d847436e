"""How the parties reach the system: over HTTP, with tokens, through any gateway; they ask until there is an answer."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zlib import crc32

import httpx

from domain.order.ownership import Role
from gateway.auth import mint
from runtime.settings import Settings

PATIENCE_S = 150.0  # longer than any drain, so that whoever acts waits for the answer
NO_ANSWER = 0
_ASK_AGAIN = {NO_ANSWER, 202, 429, 500, 503}
# Connections are kept for less than the server's 5 s, or else the server may close one just as it is used.
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=2)


@dataclass(frozen=True)
class Heard:
    """The answer to a request. It is `sure` if no earlier try was left without an answer."""

    status: int
    body: dict[str, Any]
    sure: bool

    @property
    def done(self) -> bool:
        return self.status in (200, 201)


@dataclass
class Figures:
    """The figures of all requests."""

    requests: int = 0
    unanswered: int = 0
    faults: list[str] = field(default_factory=list)  # answers that no caller should ever see
    successes: list[tuple[float, float]] = field(default_factory=list)  # when an acknowledged act was asked, answered


class GatewayClient:
    def __init__(self, settings: Settings, ports: list[int]) -> None:
        self._key = settings.jwt_key.get_secret_value()
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._http = httpx.AsyncClient(timeout=12, trust_env=False, limits=LIMITS)
        self._tokens: dict[tuple[Role, str], str] = {}
        self.figures = Figures()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self,
        role: Role,
        sub: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        patience_s: float = PATIENCE_S,
    ) -> Heard:
        """Ask until there is an answer, always under the same key, for at most `patience_s`."""
        headers = {"Authorization": f"Bearer {self._token(role, sub)}", "Idempotency-Key": key or uuid.uuid4().hex}
        until, sure, turn = time.monotonic() + patience_s, True, 0
        while True:
            url = self._urls[(crc32(path.encode()) + turn) % len(self._urls)]
            status, told = await self._once(method, f"{url}{path}", headers, body)
            if status not in _ASK_AGAIN or time.monotonic() > until:
                return Heard(status, told, sure)
            sure = sure and status == 429
            turn += 1
            await asyncio.sleep(min(0.3 * turn, 1.5))

    async def _once(
        self, method: str, url: str, headers: dict[str, str], sent: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        begun = time.monotonic()
        self.figures.requests += 1
        try:
            response = await self._http.request(method, url, headers=headers, json=sent)
            body = dict(response.json()) if response.content else {}
        except (httpx.HTTPError, ValueError):
            self.figures.unanswered += 1
            return NO_ANSWER, {}
        if response.status_code == 500:
            self.figures.faults.append(f"{method} {httpx.URL(url).path}: {response.text[:200]}")
        if response.status_code in (200, 201) and method != "GET":
            self.figures.successes.append((begun, time.monotonic()))
        return response.status_code, body

    def _token(self, role: Role, sub: str) -> str:
        if (role, sub) not in self._tokens:
            self._tokens[role, sub] = mint(self._key, role, sub, timedelta(hours=12))
        return self._tokens[role, sub]
