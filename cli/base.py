"""What all commands share: access to the servers, a line and an exit code for each expected fault, text or JSON."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from domain.order.order_number import BadOrderNo, OrderNo, parse

if TYPE_CHECKING:  # `--help` must be quick, and these import SQLAlchemy and Temporal's SDK
    from sqlalchemy.ext.asyncio import AsyncEngine

    from acts.front import Front
    from runtime.settings import Settings

REFUSED, BAD_INPUT, UNREACHABLE = 1, 2, 3
NAMES_WIDTH = 7

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs. Money in fen.")]


class Fault(typer.TyperException):
    """Raised for an expected fault: it is printed as one line on stderr, and ends the process with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def settings() -> "Settings":
    """The settings with the servers' addresses. Raises Fault when nothing is running."""
    from runtime.settings import load, load_without_servers, running

    found = load_without_servers()
    addresses = found.temporal_address or not found.embedded_temporal, found.database_url or not found.embedded_postgres
    if not all(addresses) and running(found.data_dir) is None:
        raise Fault(
            "nothing is running: start it with `make up`, or set TEMPORAL_ADDRESS and DATABASE_URL", UNREACHABLE
        )
    return load()


def with_front(work: "Callable[[Front], Awaitable[Result]]") -> Result:
    """Run `work` with Temporal and the database. Raises Fault."""

    async def run_it() -> Result:
        from runtime.wiring import open_front

        async with open_front(settings()) as front:
            try:
                return await work(front)
            finally:
                # A process that ends while Temporal's client is still finishing a call may abort in its threads.
                await asyncio.sleep(0.05)

    return run(run_it)


def with_engine(work: "Callable[[AsyncEngine], Awaitable[Result]]") -> Result:
    """Run `work` with the database alone, since what only reads must not need Temporal. Raises Fault."""

    async def run_it() -> Result:
        from store.database.engine import engine_for

        engine = engine_for(settings().database_url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return run(run_it)


def run(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run `work` to its end. An expected fault is raised as a Fault."""
    try:
        return asyncio.run(work())
    except Exception as error:
        fault = _fault(error)
        if fault is None:
            raise
    # Raised outside `except`: the error's frames hold Temporal's client, and a process that ends with it may abort.
    raise fault


def _fault(error: Exception) -> Fault | None:
    """The Fault for an expected error; None for a bug, which keeps its traceback."""
    from sqlalchemy.exc import SQLAlchemyError
    from temporalio.service import RPCError

    from acts.acts import NoSuchOrder
    from acts.checkout import Unavailable
    from domain.order.order_number import OutOfNumbers
    from runtime.parties import BadParties
    from runtime.temporal import Unreachable
    from store.database.keys import KeyReused

    match error:
        case Fault():
            return Fault(error.message, error.exit_code)
        case NoSuchOrder():
            return Fault("there is no such order", REFUSED)
        case BadParties():
            return Fault(str(error), BAD_INPUT)
        case KeyReused():
            return Fault("the key was used for another request: give another --key, or that request", REFUSED)
        case Unavailable() | Unreachable() | OutOfNumbers():
            return Fault(str(error), UNREACHABLE)
        case RPCError():
            return Fault(f"Temporal does not answer: {error.status.name}", UNREACHABLE)
        case SQLAlchemyError():
            return _of_database(error)
        case OSError():  # asyncpg raises it when nobody listens
            return Fault(f"the database does not answer ({error}): start it with `make up`", UNREACHABLE)
    return None


def _of_database(error: Exception) -> Fault | None:
    from sqlalchemy.exc import InterfaceError, OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    if state in ("42P01", "42703"):
        return Fault("the database has not this version's tables: `make up` brings it up to date", UNREACHABLE)
    if isinstance(error, InterfaceError | OperationalError | PoolTimeout) or state[:2] in (
        "08",
        "28",
        "3D",
        "53",
        "57",
    ):
        said = str(getattr(error, "orig", error)).rpartition(">: ")[2].splitlines()[0]
        return Fault(
            f"the database does not answer ({said}): see DATABASE_URL, or start it with `make up`", UNREACHABLE
        )
    return None


# --- numbers


def any_number(text: str) -> OrderNo:
    """The number of an order or a sub-order. Raises Fault for a text that is no number."""
    try:
        return parse(text.strip())
    except BadOrderNo as wrong:
        raise Fault(str(wrong), BAD_INPUT) from None


def order_number(text: str) -> OrderNo:
    number = any_number(text)
    if number.sub is not None:
        raise Fault(f"{text} is a sub-order; this is done to its order, {number.order_no}", BAD_INPUT)
    return number


def sub_order_number(text: str) -> OrderNo:
    number = any_number(text)
    if number.sub is None:
        raise Fault(f"{text} is a whole order; `show {text}` lists its sub-orders, name one of them", BAD_INPUT)
    return number


# --- output


def yuan(fen: int, currency: str = "CNY") -> str:
    """An amount as people read it, like ¥1,234.50."""
    whole, rest = divmod(abs(fen), 100)
    number = f"{'-' if fen < 0 else ''}{whole:,}.{rest:02}"
    return f"¥{number}" if currency == "CNY" else f"{number} {currency}"


def plain(text: str) -> str:
    """Somebody else's text without the characters that would move the cursor or change colours."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def say_json(result: BaseModel | dict[str, Any]) -> None:
    content = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


def say_fault(message: str) -> None:
    typer.echo(f"error: {message}", err=True)


def say_fields(fields: dict[str, str]) -> None:
    """Print names and values, one pair per line. Lines are never wrapped, since people copy from them."""
    width = max(NAMES_WIDTH, *(len(name) for name in fields))
    for name, value in fields.items():
        typer.echo(f"{typer.style(f'{name:<{width}}', dim=True)}  {value}")


def again(*words: str) -> str:
    """The command line to type for these words."""
    return " ".join(["python", sys.argv[0] if sys.argv[0].endswith("starter.py") else "starter.py", *words])
