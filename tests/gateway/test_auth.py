"""Who may do what: tokens that can't be forged, and orders that are there for their own parties only."""

import base64
import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx
import jwt
import pytest

from domain.order.order_number import candidate, sub_order_no
from domain.order.ownership import Caller, Role
from gateway.auth import BadToken, mint, read_token
from runtime.settings import DEVELOPMENT_JWT_KEY as KEY
from tests.support.routes import LISTS, ROUTES, SHIPMENT
from tests.support.shop import Person, Shop
from tests.support.web import Party, Web, new_name, problem, token

CLAIMS: dict[str, Any] = {"role": "operator", "sub": "ann", "exp": 4_000_000_000}


def unsigned(header: dict[str, str], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, ""])


def signed(**changed: Any) -> str:
    return jwt.encode({**CLAIMS, **changed}, KEY, "HS256")


def without(claim: str) -> str:
    return jwt.encode({name: value for name, value in CLAIMS.items() if name != claim}, KEY, "HS256")


FORGED = {
    "of no algorithm": unsigned({"alg": "none", "typ": "JWT"}, CLAIMS),
    "with the signature cut off": signed().rsplit(".", 1)[0] + ".",
    "signed with another key": jwt.encode(CLAIMS, "another key, as long as the right one is", "HS256"),
    "signed by another algorithm": jwt.encode(CLAIMS, KEY * 2, "HS512"),
    "expired": token(Role.OPERATOR, "ann", lifetime=timedelta(seconds=-1)),
    "of another role than was signed": ".".join(
        [signed().split(".")[0], signed(role="buyer").split(".")[1], signed().split(".")[2]]
    ),
    "without exp": without("exp"),
    "without sub": without("sub"),
    "without a role": without("role"),
    "with an odd exp": signed(exp="soon"),
    "with an endless exp": jwt.api_jws.encode(b'{"role":"operator","sub":"ann","exp":Infinity}', KEY, "HS256"),
    "with a role that nobody has": signed(role="root"),
    "with a list of roles": signed(role=["operator"]),
    "with a number for a sub": signed(sub=7),
    "with an empty sub": signed(sub=""),
    "with a NUL in its sub": signed(sub="a\0"),
    "of a buyer without a number": signed(role="buyer", sub="ann"),
    "of a buyer in other digits": signed(role="buyer", sub="١٢"),
    "that is no token": "x",
    "that is not even ASCII": "é",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_a_token_is_refused(web: Web, forged: str) -> None:
    answer = await web.http.get("/orders", headers=[(b"Authorization", f"Bearer {forged}".encode())])
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="orders", error="invalid_token"'


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", f"Token {signed()}"])
async def test_without_a_bearer_token_nothing_is_told(web: Web, header: str | None) -> None:
    answer = await web.http.get("/orders", headers={"Authorization": header} if header is not None else {})
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("role", list(Role))
def test_a_minted_token_names_its_party(role: Role) -> None:
    assert read_token(KEY, mint(KEY, role, "42", timedelta(hours=1))) == Caller(role=role, sub="42")


@pytest.mark.parametrize(("role", "sub"), [(Role.BUYER, "ann"), (Role.MERCHANT, ""), (Role.CARRIER, "x" * 101)])
def test_no_token_is_minted_for_an_id_that_nobody_has(role: Role, sub: str) -> None:
    with pytest.raises(BadToken):
        mint(KEY, role, sub, timedelta(hours=1))


@dataclass
class Theirs:
    """A shipped order, whose parties are known; every other party is a stranger to it."""

    order: str
    sub: str
    parties: dict[str, str]


@pytest.fixture(scope="module")
async def theirs(_web: Web) -> Theirs:
    person, merchant, carrier = Person(), new_name("merchant"), new_name("carrier")
    order, (sub,) = await _web.paid([merchant], person)
    parcel = {"carrier": carrier, "tracking_no": "1"}
    shipped = await _web.party(Role.MERCHANT, merchant).post(f"/sub-orders/{sub}/ship", parcel)
    assert shipped.status_code == 200, shipped.text
    buyer = str(person.buyer_id)
    names = {"checkout": "web", "buyer": buyer, "merchant": merchant, "carrier": carrier, "operator": "ann"}
    return Theirs(order=order, sub=sub, parties=names)


async def call(party: Party, method: str, path: str, body: Any) -> httpx.Response:
    return await (party.get(path) if method == "GET" else party.post(path, body, key="k"))


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("method", "path"), ROUTES.keys())
async def test_a_role_has_its_acts_and_no_others(web: Web, theirs: Theirs, method: str, path: str, role: Role) -> None:
    """Its own party gets in (what the order's state says then is another matter); another role never does."""
    body, roles = ROUTES[method, path]
    at = path.format(order=theirs.order, sub=theirs.sub)
    answer = await call(web.party(role, theirs.parties[role]), method, at, body)
    if role in roles:
        assert answer.status_code in (200, 201, 409, 422), answer.text
    else:
        problem(answer, 403, "not-for-your-role")


STRANGERS = {"checkout": "other", "buyer": "9000000", "merchant": "other", "carrier": "other"}


@pytest.mark.parametrize("role", STRANGERS.keys())
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] not in LISTS])
async def test_anothers_order_is_404_exactly_like_one_that_does_not_exist(
    web: Web, theirs: Theirs, method: str, path: str, role: str
) -> None:
    body, roles = ROUTES[method, path]
    if role not in roles:
        return  # 403, whatever the number
    stranger = web.party(Role(role), STRANGERS[role])
    nobodys = candidate(b"a secret of these tests", "x", "y", 1, date(2026, 1, 1), 1, 0)
    hidden = await call(stranger, method, path.format(order=theirs.order, sub=theirs.sub), body)
    absent = await call(stranger, method, path.format(order=nobodys, sub=sub_order_no(nobodys, 1)), body)
    first, second = (problem(answer, 404, "no-such-order") for answer in (hidden, absent))
    assert {**first, "instance": ""} == {**second, "instance": ""}
    assert set(hidden.headers) == set(absent.headers)


async def test_a_stranger_with_a_wrong_body_learns_no_more(web: Web, theirs: Theirs) -> None:
    answer = await web.party(Role.MERCHANT, "other").post(f"/sub-orders/{theirs.sub}/ship", {"nonsense": 1})
    problem(answer, 404, "no-such-order")


@pytest.mark.parametrize("no", ["1", "x", "1" * 19, "0" * 21, "１" * 19, "9" * 40, "%00"])
async def test_what_can_not_be_a_number_is_404_and_says_why(web: Web, no: str) -> None:
    answer = await web.operator.get(f"/orders/{no}")
    assert "yours" not in problem(answer, 404, "no-such-order")["detail"]


async def test_a_sub_orders_number_where_an_orders_is_wanted_is_told_so(web: Web, theirs: Theirs) -> None:
    body = {"approved": True, "note": "n"}
    wrong = problem(await web.operator.post(f"/orders/{theirs.sub}/decide-risk", body), 404, "no-such-order")
    assert "19 digits" in wrong["detail"]
    merchant = web.party(Role.MERCHANT, theirs.parties["merchant"])
    wrong = problem(await merchant.post(f"/sub-orders/{theirs.order}/ship", SHIPMENT), 404, "no-such-order")
    assert "21 digits" in wrong["detail"]


async def test_the_risk_review_bears_the_name_in_the_token(web: Web, shop: Shop, theirs: Theirs) -> None:
    """A body that names an author of its own is refused."""
    body = {"approved": True, "note": "n", "author": "somebody else"}
    answer = await web.operator.post(f"/orders/{theirs.order}/decide-risk", body)
    assert problem(answer, 422, "invalid")["errors"][0]["place"] == "author"
