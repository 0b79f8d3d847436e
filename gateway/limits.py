"""How much and how often: the bytes of a body, and a caller's requests in a minute."""

import math
import time

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gateway.problems import TOO_LARGE, TOO_MANY_REQUESTS, Problem


class Rate:
    """So many requests in any minute, for each caller. Each gateway process counts its own."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, who: str) -> None:
        """Raises the 429 when it is one too many."""
        if self._limiter.hit(self._limit, who):
            return
        reset_time = self._limiter.get_window_stats(self._limit, who).reset_time
        pause_s = max(1, math.ceil(reset_time - time.time()))
        detail = f"at most {self._limit.amount} requests in a minute; ask again in {pause_s} s"
        raise Problem(TOO_MANY_REQUESTS, detail, {"Retry-After": str(pause_s)})


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
