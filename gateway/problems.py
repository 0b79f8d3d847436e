"""Errors as problem+json (RFC 9457): what was wrong, where, and what would be right. Never what is inside.

status  type                      when
400     malformed                 the body is no strict JSON; a signed notification that is not as agreed
401     unauthenticated           no token or signature, or not a right one
403     not-for-your-role         the role can't do this at all, whoever's order it is
404     no-such-order             there is none, or it is another party's: the two can't be told apart
404     no-such-case              there is none of after-sale, or it is another party's
404     no-such-page              the address names nothing
405     no-such-method            the address knows other methods
409     order-refused             checkout's order was not taken, nothing is held; without an `order_no` the key is free
409     not-allowed-now           the state of the order, or case, does not allow the act
413     too-large                 more bytes than a body may have
415     not-json                  a body must be application/json
422     invalid                   a field, header or parameter is wrong; nothing was started
422     limit-exceeded            the cart breaks a limit; nothing was started, the key is still free
422     idempotency-key-reused    the key came before, with another body
429     too-many-requests         this caller asks too often
500     fault                     our mistake; it is logged
503     unavailable               something behind us does not answer; asking again does nothing twice
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

MEDIA_TYPE = "application/problem+json"


class ProblemKind(NamedTuple):
    status: int
    type: str
    title: str


MALFORMED = ProblemKind(400, "malformed", "The body can't be read")
UNAUTHENTICATED = ProblemKind(401, "unauthenticated", "Who asks is not proven")
NOT_FOR_YOUR_ROLE = ProblemKind(403, "not-for-your-role", "This is not for your role")
NO_SUCH_ORDER = ProblemKind(404, "no-such-order", "There is no such order")
NO_SUCH_CASE = ProblemKind(404, "no-such-case", "There is no such case")
NO_SUCH_PAGE = ProblemKind(404, "no-such-page", "There is nothing at this address")
NO_SUCH_METHOD = ProblemKind(405, "no-such-method", "This address knows other methods")
ORDER_REFUSED = ProblemKind(409, "order-refused", "The order was not taken")
NOT_ALLOWED_NOW = ProblemKind(409, "not-allowed-now", "The status does not allow this")
TOO_LARGE = ProblemKind(413, "too-large", "The body is too large")
NOT_JSON = ProblemKind(415, "not-json", "A body must be application/json")
INVALID = ProblemKind(422, "invalid", "Something in the request is wrong")
LIMIT_EXCEEDED = ProblemKind(422, "limit-exceeded", "The cart breaks a limit")
KEY_REUSED = ProblemKind(422, "idempotency-key-reused", "The key came before, with another body")
TOO_MANY_REQUESTS = ProblemKind(429, "too-many-requests", "Too many requests")
FAULT = ProblemKind(500, "fault", "A fault of ours")
UNAVAILABLE = ProblemKind(503, "unavailable", "Not available just now")

RETRY_AFTER_S = 2


class Wrong(BaseModel):
    """One thing that is wrong: where, and what."""

    place: str
    problem: str


class ProblemBody(BaseModel):
    """The body of every error. What a kind does not need is left out."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Wrong] | None = None
    code: str | None = None
    place: str | None = None
    remedy: str | None = None
    order_status: str | None = None
    case_status: str | None = None
    action: str | None = None
    allowed: list[str] | None = None


class Problem(Exception):
    """Raised by whoever finds it; answered in one place."""

    def __init__(self, kind: ProblemKind, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.more = more


def no_such_order() -> Problem:
    """One text for all, so that nobody learns which numbers exist."""
    return Problem(NO_SUCH_ORDER, "there is no such order, or it is not yours")


def no_such_case() -> Problem:
    """One text for all, for the same reason."""
    return Problem(NO_SUCH_CASE, "there is no such case, or it is not yours")


def unavailable(detail: str) -> Problem:
    return Problem(UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})


def invalid(wrong: Sequence[Wrong]) -> Problem:
    detail = "; ".join(f"{one.place}: {one.problem}" for one in wrong)
    return Problem(INVALID, detail, errors=[one.model_dump() for one in wrong])


def answer(request: Request, problem: Problem) -> JSONResponse:
    kind = problem.kind
    said = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": problem.detail}
    said["instance"] = request.url.path
    more = {name: value for name, value in problem.more.items() if value not in (None, "")}
    return JSONResponse({**said, **more}, kind.status, problem.headers, MEDIA_TYPE)


def place_of(location: Sequence[int | str]) -> str:
    """`lines[0].quantity`, as the domain writes it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "body"
