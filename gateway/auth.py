"""Who asks: a signed bearer token (JWT, HS256) with a role and an id. Accounts and log-in are elsewhere."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from domain.order.ownership import Caller, Role
from gateway.context import TheGateway
from gateway.problems import NOT_FOR_YOUR_ROLE, UNAUTHENTICATED, Problem

ALGORITHM = "HS256"
LONGEST_ID = 100
_BUYER_ID = re.compile(r"[1-9][0-9]{0,15}")


class BadToken(Exception):
    """Not a token to believe; the message may be told."""


def mint(key: str, role: Role, sub: str, lifetime: timedelta) -> str:
    """A token for this party. Raises BadToken for an id that no party can have."""
    _check_id(role, sub)
    claims = {"role": role.value, "sub": sub, "exp": datetime.now(UTC) + lifetime}
    return jwt.encode(claims, key, ALGORITHM)


def read_token(key: str, token: str) -> Caller:
    """The party that a token names. Raises BadToken, and nothing else, for whatever is not right."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[ALGORITHM], options={"require": ["exp", "sub", "role"]}
        )
        role, sub = Role(claims["role"]), claims["sub"]
    except jwt.ExpiredSignatureError:
        raise BadToken("the token has expired") from None
    except Exception:
        # Everything: what is merely odd (an infinite `exp`, a role that is a list) raises all sorts of errors.
        raise BadToken("the token is not right") from None
    _check_id(role, sub)
    return Caller(role=role, sub=sub)


def _check_id(role: Role, sub: str) -> None:
    if not 1 <= len(sub) <= LONGEST_ID or not sub.isprintable():
        raise BadToken(f"the token's sub must be 1 to {LONGEST_ID} printable characters")
    if role is Role.BUYER and not (_BUYER_ID.fullmatch(sub) and int(sub) <= 2**53):
        raise BadToken("a buyer's sub must be the buyer's id, a whole number")


BEARER = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="HS256, with the claims `role` (checkout, buyer, merchant, carrier, operator), `sub` and `exp`.",
)


async def caller(
    request: Request,
    gateway: TheGateway,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Caller:
    """The party behind the request, counted against its rate."""
    try:
        if bearer is None:
            raise BadToken("bring a bearer token")
        known = read_token(gateway.settings.jwt_key.get_secret_value(), bearer.credentials)
    except BadToken as bad:
        count_stranger(request, gateway)
        error = "" if bearer is None else ', error="invalid_token"'
        raise Problem(UNAUTHENTICATED, str(bad), {"WWW-Authenticate": f'Bearer realm="orders"{error}'}) from None
    gateway.rate.count(known.name)
    return known


def count_stranger(request: Request, gateway: TheGateway) -> None:
    """Who does not say who it is has its address counted: guessing has a rate, too."""
    gateway.rate.count(f"address {request.client.host if request.client else ''}")


def allow(*roles: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, if it has one of these roles."""

    async def only(who: Annotated[Caller, Depends(caller)]) -> Caller:
        if who.role not in roles:
            raise not_for(who.role, f"this is for {' or '.join(roles)}")
        return who

    return only


def not_for(role: Role, why: str) -> Problem:
    return Problem(NOT_FOR_YOUR_ROLE, f"your role is {role}; {why}")
