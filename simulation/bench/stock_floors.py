"""What the database alone can do, by PostgreSQL's own pgbench and by a bare batch."""

import asyncio
import re
import subprocess
import time
from itertools import count
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.embedded import postgres_folder
from store.database.asyncpg_direct import autocommit

CLIENTS = 16
BATCH = 200

_TABLES = (
    "CREATE TABLE floor_stock (sku text PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0),"
    " reserved bigint NOT NULL)",
    "CREATE TABLE floor_reservations (order_no bigint, line_no int, sku text NOT NULL, quantity int NOT NULL,"
    " PRIMARY KEY (order_no, line_no))",
    "INSERT INTO floor_stock VALUES ('HOT', 1000000000000, 0)",
)
_INSERT = """\\set order_no random(1, 9000000000000000000)
INSERT INTO floor_reservations (order_no, line_no, sku, quantity) VALUES (:order_no, 1, 'HOT', 1)
ON CONFLICT DO NOTHING;
"""
_UPDATE = "UPDATE floor_stock SET available = available - 1, reserved = reserved + 1 WHERE sku = 'HOT';\n"
_BARE = """
WITH moved AS (
  UPDATE floor_stock SET available = available - cardinality($1::bigint[]), reserved = reserved + cardinality($1)
  WHERE sku = 'HOT'
)
INSERT INTO floor_reservations (order_no, line_no, sku, quantity) SELECT unnest($1::bigint[]), 0, 'HOT', 1
"""


class Floors:
    def __init__(self, engine: AsyncEngine, folder: Path) -> None:
        self._engine = engine
        self._pgbench = postgres_folder() / "bin/pgbench"  # it comes with the wheel
        self._where = make_url(str(engine.url))
        self._scripts = {"insert": folder / "insert.sql", "update": folder / "update.sql"}
        self._numbers = count(1)

    async def set_up(self) -> None:
        async with self._engine.begin() as db:
            for statement in _TABLES:
                await db.execute(text(statement))
        self._scripts["insert"].write_text(_INSERT)
        self._scripts["update"].write_text(_UPDATE)

    async def empty(self) -> None:
        async with self._engine.begin() as db:
            await db.execute(text("TRUNCATE floor_reservations"))

    async def pgbench(self, script: str, seconds: float) -> float:
        """The transactions per second of a script, run by CLIENTS clients that do nothing else."""
        asked = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(max(1, round(seconds)))]
        where = ["-h", str(self._where.query["host"]), "-U", "postgres", str(self._where.database)]
        command = [str(self._pgbench), *asked, "-f", str(self._scripts[script]), *where]
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        found = re.search(r"^tps = ([\d.]+)", ran.stdout, re.MULTILINE)
        assert found, f"pgbench says no tps: {ran.stdout}{ran.stderr}"
        return float(found[1])

    async def bare_batch(self, seconds: float) -> float:
        """The rows per second of one connection that only runs the bare batch: the ceiling of any batching."""
        begun = time.perf_counter()
        done = 0
        async with autocommit(self._engine) as db:
            while time.perf_counter() - begun < seconds:
                await db.execute(_BARE, [next(self._numbers) for _ in range(BATCH)])
                done += BATCH
        return done / (time.perf_counter() - begun)
