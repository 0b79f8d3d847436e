"""How much and how often: the bytes of a body, and a caller's requests in a minute."""

import math
from collections import OrderedDict, deque
from time import monotonic

from fastapi import Request

from gateway.problems import TOO_LARGE, TOO_MANY_REQUESTS, Problem

WINDOW_S = 60.0


class Rate:
    """So many requests in any minute, for each caller. Each gateway process counts its own.

    Our own, since the library's store (limits 5.8) keeps whoever ever came, and looks through all of them again and
    again. Here a caller costs nothing once its last request is a minute old."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()  # who asked last comes last

    def count(self, who: str) -> None:
        """Raises the 429 when it is one too many."""
        now = monotonic()
        self._forget(now - WINDOW_S)
        asked = self._asked.setdefault(who, deque(maxlen=self._per_minute))
        if len(asked) == self._per_minute and asked[0] > now - WINDOW_S:
            pause_s = max(1, math.ceil(asked[0] + WINDOW_S - now))
            detail = f"at most {self._per_minute} requests in a minute; ask again in {pause_s} s"
            raise Problem(TOO_MANY_REQUESTS, detail, {"Retry-After": str(pause_s)})
        asked.append(now)
        self._asked.move_to_end(who)

    def _forget(self, before: float) -> None:
        while self._asked:
            who, asked = next(iter(self._asked.items()))
            if asked[-1] > before:
                break
            del self._asked[who]


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The raw body. What is too large is refused by its announced length, or as soon as it is seen to be so."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(raw)


def _too_large(most_bytes: int) -> Problem:
    # The server drops the rest as it comes. To close the connection on it would lose our answer, too.
    return Problem(TOO_LARGE, f"a body may have {most_bytes} bytes at the most")
