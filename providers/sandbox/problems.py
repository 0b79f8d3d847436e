"""The sandbox's errors as problem+json, and the strict reading of bodies."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class SandboxProblem(Exception):
    """Raised for a request that a party refuses; the handler answers with `status`, and `kind` as the problem's
    type."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail


async def problem_answer(_: Request, error: Exception) -> JSONResponse:
    """The handler that answers every SandboxProblem."""
    assert isinstance(error, SandboxProblem)
    content = {"type": error.kind, "status": error.status, "detail": error.detail}
    return JSONResponse(content, error.status, media_type="application/problem+json")


def fail_if(switch: bool) -> None:
    """Answer 503, with nothing done, if the switch of a bad day is on."""
    if switch:
        raise SandboxProblem(503, "bad-day", "out of order: switched on at /bad-days")


def parsed(model: type[Model], raw: bytes | dict[str, str]) -> Model:
    """JSON, or the fields of a form, as a model. Raises a SandboxProblem with 422 that names the wrong fields."""
    try:
        return model.model_validate_json(raw) if isinstance(raw, bytes) else model.model_validate_strings(raw)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise SandboxProblem(422, "invalid-body", wrong) from None


def body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the body straight from JSON.

    FastAPI's own way goes through Python objects, from which a strict model takes no time that is written as text."""

    async def read(request: Request) -> Model:
        return parsed(model, await request.body())

    return read
