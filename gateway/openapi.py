"""What OpenAPI does not learn from the routes' signatures: bodies that are read raw, and errors as problem+json."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from domain.after_sale.case import Agree, AskAfterSale, Decide, Inspect, Refuse, SendBack, Withdraw
from domain.order.acts import Review, Scan
from domain.order.cart import Cart
from gateway.bodies import CancelBody, CancelPiecesBody, DecisionBody, RescheduleBody, ShipBody
from gateway.problems import MEDIA_TYPE, ProblemBody

_REF = "#/components/schemas/"
_BODIES: tuple[type[BaseModel], ...] = (
    *(Cart, CancelBody, CancelPiecesBody, RescheduleBody, ShipBody, Scan, Review, DecisionBody),
    *(AskAfterSale, Agree, Refuse, Decide, SendBack, Inspect, Withdraw),
)

_PROBLEMS = {
    400: "The body can't be read.",
    401: "No token or signature, or not a right one.",
    403: "The role can't do this.",
    404: "There is no such order, or it is another party's.",
    409: "Not taken, or not allowed in the order's status; says what is.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A field, header or parameter is wrong, and which.",
    429: "This caller asks too often.",
    500: "A fault of ours.",
    503: "Something behind the gateway does not answer. Ask again: nothing is done twice.",
}
_HEADERS = {401: ["WWW-Authenticate"], 413: [], 429: ["Retry-After"], 503: ["Retry-After"]}
_READS_BODY = (400, 413, 415, 422)
_ALWAYS = (401, 429, 500, 503)


def problems(*statuses: int, reads_body: bool = False, always: tuple[int, ...] = _ALWAYS) -> dict[int | str, Any]:
    """The `responses` of a route: those of every route, and its own."""
    wanted = {*always, *statuses, *(_READS_BODY if reads_body else ())}
    return {status: _documented(status) for status in sorted(wanted)}


def header(name: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "required": True}}


def _documented(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemBody"}}},
    }
    headers: dict[str, Any] = {}
    for name in _HEADERS.get(status, []):
        headers |= header(name)
    return {**found, "headers": headers} if headers else found


def takes(model: type[BaseModel], example: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads this body."""
    content = {"application/json": {"schema": {"$ref": f"{_REF}{model.__name__}"}, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, raw = models_json_schema(
            [*((model, "validation") for model in _BODIES), (ProblemBody, "serialization")],
            ref_template=_REF + "{model}",
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(raw["$defs"])
        # FastAPI's own error bodies: no route of ours answers them.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema
