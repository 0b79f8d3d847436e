"""Statements without SQLAlchemy in between, for where its own work would be most of the time taken."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

from sqlalchemy.ext.asyncio import AsyncEngine

Row = Mapping[str, Any]

# One message to the server.
_BEGIN = "BEGIN; " + "; ".join(f"SET LOCAL enable_{way} = off" for way in ("seqscan", "hashjoin", "mergejoin"))

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class Connection(Protocol):
    """What we use of asyncpg's. Its errors carry a `sqlstate`."""

    async def execute(self, query: str, *values: object) -> str: ...

    async def fetch(self, query: str, *values: object) -> Sequence[Row]: ...


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """A connection on which each statement is a transaction."""
    async with engine.connect() as db:
        yield cast(Connection, (await db.get_raw_connection()).driver_connection)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """One transaction, whose plans look each row up by its index. Plans are kept, and the table that one was made
    for when it was empty may hold millions of rows before anybody analyses it."""
    async with engine.connect() as db:
        connection = cast(Connection, (await db.get_raw_connection()).driver_connection)
        try:
            await connection.execute(_BEGIN)
            yield connection
            await connection.execute("COMMIT")
        except BaseException:
            try:
                await connection.execute("ROLLBACK")
            except Exception:
                await db.invalidate()  # nobody may be handed a connection in the middle of a transaction
            raise


def array(elements: Iterable[str]) -> str:
    """An array in PostgreSQL's own notation, to be sent as one text (`$1::text::int[]`). Of a list asyncpg looks at
    each element three times: a third of the time that a large batch takes on this side."""
    return "{" + ",".join(elements) + "}"


def numbers(values: Iterable[int]) -> str:
    return array(map(str, values))


def texts(values: Iterable[str]) -> str:
    return array('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)


def microseconds(values: Iterable[datetime | None]) -> str:
    """Moments, for `moment` to read. As text they take three times as long to write, and to read."""
    return array("NULL" if value is None else str((value - _EPOCH) // _MICROSECOND) for value in values)


def moment(sent: str) -> str:
    """In SQL: the moment that was sent as microseconds."""
    return f"'epoch'::timestamptz + {sent} * interval '1 microsecond'"


def sqlstate(fault: BaseException) -> str:
    """PostgreSQL's code for what went wrong; empty when it wasn't PostgreSQL that said so."""
    return str(getattr(fault, "sqlstate", None) or "")


def is_constraint(fault: BaseException) -> bool:
    """A CHECK, a key or a NOT NULL has refused."""
    return sqlstate(fault)[:2] == "23"


def is_about_a_member(fault: BaseException) -> bool:
    """Whether the others of a batch may fare better without each other: not when the database is gone."""
    code = sqlstate(fault)[:2]
    return isinstance(fault, ValueError) or code in ("21", "22", "23", "40")
