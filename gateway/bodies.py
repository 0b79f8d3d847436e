"""Bodies, read strictly: JSON that says one thing only, and no field that nobody knows.

The acts' bodies are those of `domain.order.acts` without the actor: who acts is in the token.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import TypeVar

from fastapi import Request
from pydantic import Field, ValidationError

from domain.base import Document
from domain.order.pieces import SomePieces
from domain.strict_json import BadInput, load
from gateway.context import TheGateway
from gateway.limits import read_body
from gateway.problems import MALFORMED, NOT_JSON, Problem, Wrong, invalid, place_of

Model = TypeVar("Model", bound=Document)


class CancelBody(Document):
    """Why. It may be left out."""

    note: str = Field(default="", max_length=500)


class CancelPiecesBody(Document):
    """Which pieces, and why."""

    lines: SomePieces
    note: str = Field(default="", max_length=500)


class ShipBody(Document):
    """The carrier that has the parcel, which reports on it from now on, and its tracking number."""

    carrier: str = Field(min_length=1, max_length=50)
    tracking_no: str = Field(min_length=1, max_length=100)


class RescheduleBody(Document):
    """The day from which a presale ships now, in UTC."""

    ships_from: date


class DecisionBody(Document):
    """A person's word on an order that waits for one. Its author is the token's."""

    approved: bool
    note: str = Field(min_length=1, max_length=2_000)


def body(model: type[Model], *, optional: bool = False) -> Callable[[Request, TheGateway], Awaitable[Model]]:
    """A dependency that reads the body straight from JSON.

    FastAPI's own way keeps the last of two equal keys, takes NaN, and goes through Python objects, where a strict
    model refuses a time written as text."""

    async def read(request: Request, gateway: TheGateway) -> Model:
        raw = await read_body(request, gateway.settings.body_bytes)
        if not raw and optional:
            return model()
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(NOT_JSON, "send the body as JSON, with content-type: application/json")
        return parsed(model, raw)

    return read


def parsed(model: type[Model], raw: bytes) -> Model:
    """Strict JSON as a model, or the problem with each place that is wrong."""
    try:
        load(raw)
    except BadInput as error:
        raise Problem(MALFORMED, f"the body is no strict JSON: {error}") from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid([Wrong(place=place_of(one["loc"]), problem=one["msg"]) for one in found]) from None
