"""How a party is called over HTTP: with a short timeout, and with errors that name the call and hold no secret."""

from collections.abc import Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

Answer = TypeVar("Answer", bound=BaseModel)


class PartyFault(Exception):
    """Raised when an outside party gives no answer, or none that we can use. It may have done what was asked, so the
    caller asks again under the same key. `status` is that of the HTTP answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def segment(text: str) -> str:
    """An id as one segment of a URL's path, whatever is in it. Dots are escaped too, since the segments `.` and `..`
    would change the path."""
    return quote(text, safe="").replace(".", "%2E")


# A connection is not kept for as long as the other side keeps it (5 s, often), or both may decide at one moment.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2)


class HttpParty:
    """A party at one address, called over one HTTP client that is kept open."""

    party = "party"

    def __init__(self, base_url: str, timeout_s: float = 5.0, headers: Mapping[str, str] | None = None) -> None:
        """`headers` go with every call, as a key does."""
        # trust_env is off: only runtime/ reads the environment, and a proxy that is set there must not get in between.
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=timeout_s, headers=headers, trust_env=False, limits=LIMITS
        )

    async def aclose(self) -> None:
        """Close the connections. The party can't be called after this."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error is not chained: httpx's may hold the address, and an address may hold a password.
            name = type(error).__name__
            raise PartyFault(f"{self.party}: {method} {path}: no answer ({name})") from None

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call, and accept only a 2xx as an answer. Raises PartyFault."""
        response = await self._call(method, path, **request)
        if not response.is_success:
            raise self._refuse(response)
        return response

    def _refuse(self, response: httpx.Response) -> PartyFault:
        asked = response.request
        path = asked.url.raw_path.decode("ascii")
        status = response.status_code
        return PartyFault(f"{self.party}: {asked.method} {path}: answered {status}", status)

    def _read(self, answer: type[Answer], response: httpx.Response) -> Answer:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            # The error is not chained: pydantic prints what it was given.
            asked = response.request
            path = asked.url.raw_path.decode("ascii")
            wanted = answer.__name__
            raise PartyFault(f"{self.party}: {asked.method} {path}: the answer is no {wanted}") from None


def json_body(message: BaseModel) -> dict[str, Any]:
    """A model as the body of a request, as keyword arguments of `_call`."""
    return {"content": message.model_dump_json(), "headers": {"content-type": "application/json"}}
