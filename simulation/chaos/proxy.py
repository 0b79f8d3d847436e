"""A proxy before PostgreSQL that sometimes loses an answer: the commit is done, but its client does not learn it."""

import asyncio
import contextlib
import re
from pathlib import Path
from random import Random

# What the server sends last after a change that is committed: the command's tag, then "ready, in no transaction".
_COMMITTED = re.compile(rb"C\x00\x00\x00.(COMMIT|INSERT 0 [1-9]\d*|UPDATE [1-9]\d*)\x00Z\x00\x00\x00\x05I$", re.DOTALL)


class ForgetfulProxy:
    """Listens on a port and passes everything on to the database's socket. While it is forgetting, it drops about one
    in `one_in` answers to a commit, and the connection with it."""

    def __init__(self, target: Path, port: int, one_in: int, random: Random) -> None:
        self._target = target
        self._port = port
        self._one_in = one_in
        self._random = random
        self._server: asyncio.Server | None = None
        self.forgetting = False
        self.lost = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            back_reader, back_writer = await asyncio.open_unix_connection(str(self._target))
            ways = {
                asyncio.create_task(self._pass_on(reader, back_writer, answers=False)),
                asyncio.create_task(self._pass_on(back_reader, writer, answers=True)),
            }
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back_writer.close()
        writer.close()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if answers and self._loses(data):
                    self.lost += 1
                    return
                sink.write(data)
                await sink.drain()

    def _loses(self, answer: bytes) -> bool:
        return self.forgetting and bool(_COMMITTED.search(answer)) and self._random.randrange(self._one_in) == 0
