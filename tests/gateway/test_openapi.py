"""The served OpenAPI is complete and true: schemathesis, which reads nothing else, can't break the gateway.

It has a process of its own: it parses code as it goes, and in CPython before 3.11.9 two threads that do so at a time
meet a bug ("AST constructor recursion depth mismatch"). A log with a traceback in it is enough for the other thread.
"""

import asyncio
import multiprocessing
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, positive_data_acceptance

from domain.order.ownership import Role
from tests.support.routes import LISTS, ROUTES
from tests.support.shop import Person
from tests.support.web import PROBLEM, Web, new_key, new_name, token

load_all_checks()

CASE_ACTS = {
    "agree": Role.MERCHANT,
    "refuse": Role.MERCHANT,
    "overrule": Role.OPERATOR,
    "uphold": Role.OPERATOR,
    "send-back": Role.BUYER,
    "inspect": Role.MERCHANT,
    "withdraw": Role.BUYER,
}
OPERATIONS = [
    *((method.lower(), path.replace("{order}", "{no}").replace("{sub}", "{no}")) for method, path in ROUTES),
    ("get", "/after-sales/{case}"),
    *(("post", f"/after-sales/{{case}}/{act}") for act in CASE_ACTS),
    ("post", "/webhooks/payments"),
    ("get", "/health"),
]
BOUNDED = bounded(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# A schema can't say that times are in UTC, that each line number appears once, or that a tab is for buyers.
EXCLUDED = [positive_data_acceptance]
ROLES = {
    "/orders": Role.BUYER,
    "/sub-orders": Role.MERCHANT,
    "reschedule": Role.MERCHANT,
    "ship": Role.MERCHANT,
    "track": Role.CARRIER,
    "deliver": Role.CARRIER,
    "confirm-receipt": Role.BUYER,
    "review": Role.BUYER,
    "after-sales": Role.BUYER,
    **CASE_ACTS,
}


def role_of(method: str, path: str) -> Role:
    if (method, path) == ("post", "/orders"):
        return Role.CHECKOUT
    return ROLES.get(path, ROLES.get(path.rsplit("/", 1)[-1], Role.OPERATOR))


def attack(url: str, method: str, path: str, headers: dict[str, str], numbers: list[str | None]) -> int:
    """Valid and invalid requests, on made-up numbers and real ones; the number of requests."""
    operation = schemathesis.openapi.from_url(f"{url}/openapi.json")[path][method]
    calls = 0
    with requests.Session() as session:
        session.trust_env = False
        # A request with nothing in it can't be wrong.
        modes = [GenerationMode.POSITIVE] + ([GenerationMode.NEGATIVE] if (method, path) != ("get", "/health") else [])
        for mode in modes:
            for number in numbers:
                fixed = {"case" if "{case}" in path else "no": number} if number else None

                @BOUNDED
                @given(case=operation.as_strategy(generation_mode=mode, path_parameters=fixed))
                def call(case: Any) -> None:
                    nonlocal calls
                    calls += 1
                    case.call_and_validate(base_url=url, headers=headers, session=session, excluded_checks=EXCLUDED)

                call()
    return calls


def attacked(url: str, method: str, path: str, headers: dict[str, str], numbers: list[str | None]) -> int | str:
    """Or what it found, as text: its errors don't travel between processes."""
    try:
        return attack(url, method, path, headers, numbers)
    except (Exception, BaseExceptionGroup):
        return traceback.format_exc()


@pytest.fixture(scope="module")
def attacker() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process


@pytest.fixture(scope="module")
async def known(_web: Web) -> dict[str, Any]:
    """A shipped order whose parties are known, so that what is made up gets past the door."""
    person, merchant, carrier = Person(), new_name("merchant"), new_name("carrier")
    order, (sub,) = await _web.paid([merchant], person)
    parcel = {"carrier": carrier, "tracking_no": "1"}
    await _web.party(Role.MERCHANT, merchant).post(f"/sub-orders/{sub}/ship", parcel)
    names = {Role.BUYER: str(person.buyer_id), Role.MERCHANT: merchant, Role.CARRIER: carrier}
    case = {"kind": "REFUND_ONLY", "lines": [{"line_no": 1, "quantity": 1}], "reason": "cracked"}
    asked = await _web.buyer(person).post(f"/sub-orders/{sub}/after-sales", case, key=new_key())
    return {"order": order, "sub": sub, "case": asked.json()["case_no"], "names": names}


@pytest.mark.parametrize(("method", "path"), sorted(set(OPERATIONS)))
async def test_schemathesis_can_not_break_it(
    web: Web, known: dict[str, Any], attacker: ProcessPoolExecutor, method: str, path: str
) -> None:
    role = role_of(method, path)
    headers = {"Authorization": f"Bearer {token(role, known['names'].get(role, 'ann'))}"}
    of = {"/sub-orders/": "sub", "/after-sales/": "case", "/orders/": "order"}
    mine = next((known[kind] for start, kind in of.items() if path.startswith(start) and "{" in path), None)
    numbers = [None, mine] if mine else [None]
    requests_made = await asyncio.get_running_loop().run_in_executor(
        attacker, attacked, str(web.http.base_url), method, path, headers, numbers
    )
    assert isinstance(requests_made, int), requests_made
    assert requests_made > 0


async def test_every_route_is_documented_with_its_errors_and_its_security(web: Web) -> None:
    document = (await web.http.get("/openapi.json")).json()
    assert {(method, path) for path, item in document["paths"].items() for method in item} == set(OPERATIONS)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["description"], path
            errors = {int(status) for status in operation["responses"] if int(status) >= 400}
            public = path in ("/health", "/webhooks/payments")
            assert (("security" in operation), {401, 429} <= errors) == (not public, path != "/health")
            assert {500, 503} <= errors
            assert ("requestBody" in operation) == (413 in errors), (method, path)
            for status in errors:
                schema = operation["responses"][str(status)]["content"][PROBLEM]["schema"]
                assert schema["$ref"].endswith("/ProblemBody")
    assert set(document["paths"]) >= LISTS
    assert document["components"]["securitySchemes"]["HTTPBearer"]["bearerFormat"] == "JWT"
    assert "HTTPValidationError" not in str(document)


async def test_the_documentation_is_served(web: Web) -> None:
    answer = await web.http.get("/docs")
    assert answer.status_code == 200
    assert "/openapi.json" in answer.text
