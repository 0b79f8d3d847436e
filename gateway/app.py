"""The gateway: checkout, the parties' acts and views, and the payment provider's notifications, over HTTP."""

import functools
import logging

from asyncpg import InterfaceError as ConnectionLost
from asyncpg import InternalClientError, PostgresError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from activities.notifications import NotificationReader
from acts.acts import NoSuchOrder
from acts.checkout import Unavailable
from acts.front import Front
from domain.order.order_number import OutOfNumbers
from gateway.context import Gateway, GatewaySettings
from gateway.limits import Rate
from gateway.openapi import document
from gateway.problems import (
    FAULT,
    MALFORMED,
    NO_SUCH_METHOD,
    NO_SUCH_PAGE,
    Problem,
    ProblemKind,
    Wrong,
    answer,
    invalid,
    no_such_order,
    place_of,
    unavailable,
)
from gateway.routes import acts, after_sales, checkout, lists, outside, refunds
from store.orders.views import BadCursor

log = logging.getLogger("gateway")

_ABOUT = """Orders, from checkout to the last parcel received.

Callers bring a bearer token with a role and an id. A party sees and does only its own: another's order is 404, like
one that does not exist. Errors are problem+json. Money is in fen, times are UTC, order numbers are text."""


def create_app(front: Front, settings: GatewaySettings, notifications: NotificationReader) -> FastAPI:
    # A slash too many is another address: no redirects that a POST would not survive.
    app = FastAPI(title="Orders", version="1", description=_ABOUT, redirect_slashes=False, redoc_url=None)
    app.state.gateway = Gateway(front, settings, notifications, Rate(settings.requests_per_minute))
    for router in _ROUTERS:
        app.include_router(router)
    for kind in (Problem, RequestValidationError, HTTPException, Exception, *_FAULTS_BEHIND_US, *_OTHERS):
        app.add_exception_handler(kind, _answer)
    app.openapi = functools.partial(document, app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


_ROUTERS = (checkout.router, lists.router, acts.router, refunds.router, after_sales.router, outside.router)
# The driver's own errors come bare from where SQLAlchemy is not in between, as while a connection is set up.
_FAULTS_BEHIND_US = (Unavailable, OutOfNumbers, OSError, NoConnectionFree, DBAPIError, ConnectionLost, PostgresError)
# PostgreSQL's classes of "no connection", "no room" and "shutting down, or just starting".
_AWAY = ("08", "53", "57P")
_OTHERS = (NoSuchOrder, BadCursor, ClientDisconnect)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    return answer(request, _problem(request, error))


def _problem(request: Request, error: Exception) -> Problem:
    """Every error as a problem. What we do not know is a fault of ours, and told to the log only."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return invalid([Wrong(place=place_of(one["loc"]), problem=one["msg"]) for one in error.errors()])
        case BadCursor():
            return invalid([Wrong(place="query.after", problem=str(error))])
        case ClientDisconnect():  # nobody is left to read this; but it is no fault of ours
            return Problem(MALFORMED, "the body did not come whole")
        case NoSuchOrder():
            return no_such_order()
        case Unavailable() | OutOfNumbers():
            return unavailable(str(error))
        case HTTPException():
            return _from_starlette(request, error)
        case _ if _is_unreachable(error):
            log.warning("the database does not answer: %s", error)
            return unavailable("the database does not answer; ask again, nothing is done twice")
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return Problem(FAULT, "it is logged, and ours to mend")


def _is_unreachable(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if (getattr(cause, "sqlstate", None) or "").startswith(_AWAY):
        return True
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    # The last: the connection broke while a statement was on its way.
    return isinstance(error, OSError | NoConnectionFree | ConnectionLost | InternalClientError)


def _from_starlette(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem(NO_SUCH_PAGE, "there is nothing at this address; /docs lists what there is")
    if error.status_code == 405:
        methods = ", ".join(sorted(_methods(request)))
        return Problem(NO_SUCH_METHOD, f"this address knows {methods}", {"Allow": methods})
    return Problem(ProblemKind(error.status_code, MALFORMED.type, MALFORMED.title), str(error.detail), None)


def _methods(request: Request) -> set[str]:
    """The methods of all routes at this address: Starlette's own answer names those of the first route only."""
    app: FastAPI = request.app
    found: set[str] = set()
    for route in (*app.routes, *(route for router in _ROUTERS for route in router.routes)):
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return found
