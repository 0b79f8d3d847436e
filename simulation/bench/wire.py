"""A bare HTTP client with kept-alive connections. A full one would take more CPU than the gateway that it measures."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

TOLD = (201, 409)  # the answers after which a buyer need not ask again
PAUSE_S = 0.5


@dataclass(frozen=True)
class Ask:
    """A buyer's request, as it goes over the wire."""

    buyer: int
    raw: bytes


@dataclass(frozen=True)
class Told:
    """The final answer to a request; `asked_at` and `told_at` are by `time.perf_counter`."""

    buyer: int
    status: int
    body: dict[str, Any]
    asked_at: float
    told_at: float
    asked_again: int

    @property
    def seconds(self) -> float:
        return self.told_at - self.asked_at


def post(path: str, host: str, token: str, key: str, body: str) -> bytes:
    raw = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


async def ask_all(
    port: int, asks: Iterable[Ask], connections: int, heard: Callable[[Told], Awaitable[None] | None]
) -> list[Told]:
    """Send all requests over `connections` connections. A buyer who is told to ask again does so, under the same
    key."""
    waiting, told = iter(asks), list[Told]()

    async def connection() -> None:
        line = await _Line.open(port)
        try:
            for ask in waiting:
                answer = await _insist(line, ask)
                told.append(answer)
                hearing = heard(answer)
                if hearing is not None:
                    await hearing
        finally:
            line.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return told


async def _insist(line: "_Line", ask: Ask) -> Told:
    asked_at, again = time.perf_counter(), 0
    while True:
        status, body = await line.exchange(ask.raw)
        if status in TOLD:
            return Told(ask.buyer, status, body, asked_at, time.perf_counter(), again)
        if status not in (202, 429, 503):
            raise AssertionError(f"the gateway answers {status}: {body}")
        again += 1
        await asyncio.sleep(PAUSE_S)


class _Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "_Line":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def exchange(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        self._writer.write(raw)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        lengths = (line.partition(":")[2] for line in head if line.lower().startswith("content-length:"))
        body = await self._reader.readexactly(int(next(lengths, "0")))
        return int(head[0].split()[1]), json.loads(body) if body else {}

    def close(self) -> None:
        self._writer.close()
