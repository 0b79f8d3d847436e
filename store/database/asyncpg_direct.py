"""Statements on asyncpg's own connection, where SQLAlchemy's work would take most of the time."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

from sqlalchemy.ext.asyncio import AsyncEngine

Row = Mapping[str, Any]

# All of it is sent as one message to the server.
_BEGIN = "BEGIN; " + "; ".join(f"SET LOCAL enable_{way} = off" for way in ("seqscan", "hashjoin", "mergejoin"))

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class Connection(Protocol):
    """The part of asyncpg's connection that we use. PostgreSQL's errors carry a `sqlstate`."""

    async def execute(self, query: str, *values: object) -> str: ...

    async def fetch(self, query: str, *values: object) -> Sequence[Row]: ...


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """A connection on which each statement is a transaction of its own."""
    async with engine.connect() as db:
        yield cast(Connection, (await db.get_raw_connection()).driver_connection)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """One transaction, whose plans look up each row by its index. Connections keep their plans: a table that was empty
    when a plan was made may hold millions of rows before anybody analyses it."""
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
                await db.invalidate()  # the pool must not hand out a connection in the middle of a transaction
            raise


def array(elements: Iterable[str]) -> str:
    """An array in PostgreSQL's own notation, to be sent as one text (`$1::text::int[]`). Given a list, asyncpg looks at
    each element three times, which is a third of the time that a large batch takes on this side."""
    return "{" + ",".join(elements) + "}"


def numbers(values: Iterable[int]) -> str:
    return array(map(str, values))


def texts(values: Iterable[str]) -> str:
    return array('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)


def microseconds(values: Iterable[datetime | None]) -> str:
    """Moments as microseconds, which the SQL of `moment` reads. As text they take three times as long on both sides."""
    return array("NULL" if value is None else str((value - _EPOCH) // _MICROSECOND) for value in values)


def moment(sent: str) -> str:
    """The SQL expression of a moment that was sent as microseconds."""
    return f"'epoch'::timestamptz + {sent} * interval '1 microsecond'"


def sqlstate(fault: BaseException) -> str:
    """PostgreSQL's code for what went wrong; empty when the fault did not come from PostgreSQL."""
    return str(getattr(fault, "sqlstate", None) or "")


def is_constraint(fault: BaseException) -> bool:
    """Whether a constraint (a CHECK, a key, a NOT NULL) refused the statement."""
    return sqlstate(fault)[:2] == "23"


def is_about_a_member(fault: BaseException) -> bool:
    """Whether the fault may lie in one member of a batch, so that trying them singly may help: not so when the database
    is gone."""
    code = sqlstate(fault)[:2]
    return isinstance(fault, ValueError) or code in ("21", "22", "23", "40")
