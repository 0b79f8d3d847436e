"""After-sale: a buyer asks, the merchant answers, the platform decides where they disagree."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response

from domain.after_sale.case import (
    Agree,
    AskAfterSale,
    CaseAction,
    CaseAnswer,
    Decide,
    Inspect,
    Refuse,
    SendBack,
    Withdraw,
    case_allows,
)
from domain.base import Message
from domain.order.ownership import Caller, Owners, Role, owns
from domain.records.views import CaseView
from gateway.auth import allow
from gateway.bodies import body
from gateway.context import TheGateway
from gateway.openapi import header, problems, takes
from gateway.parties import KEY_PATTERN, Acting, OptionalKey, acting
from gateway.problems import KEY_REUSED, NOT_ALLOWED_NOW, Problem, no_such_case
from store.database.keys import KeyReused

router = APIRouter(tags=["after-sale"])

_WITH_BODY = problems(403, 404, 409, reads_body=True)
_OPENED: dict[int | str, Any] = {201: {"headers": header("Location")}}
_ASK = {
    "kind": "RETURN_AND_REFUND",
    "lines": [{"line_no": 1, "quantity": 1}],
    "reason": "one of them is cracked",
}
_FOUND = {"accepted": [{"line_no": 1, "quantity": 1}], "sellable": [], "gifts_back": []}

CaseNumber = Annotated[
    str,
    Path(
        alias="case",
        description="The case's number: the sub-order's, and A with a running part.",
        json_schema_extra={"pattern": "^[0-9]{21}A[0-9]{2}$"},
        examples=["125160193831950010401A01"],
    ),
]


class OnCase(Message):
    """A party and the case that it acts on, which is its own."""

    caller: Caller
    case: CaseView
    key: str | None

    def key_of(self, act: CaseAction) -> str | None:
        """The id of the act's update. The run keeps those of all parties and all acts in one place."""
        return f"{act.value.lower()}/{self.caller.name}/{self.key}" if self.key else None


def on_case(*roles: Role) -> Callable[[TheGateway, Caller, str, str | None], Awaitable[OnCase]]:
    """A dependency: a caller with one of the roles, on a case of its own. Before the body is read, as with orders."""
    permitted = allow(*roles)

    async def find(
        gateway: TheGateway, caller: Annotated[Caller, Depends(permitted)], case: CaseNumber, key: OptionalKey = None
    ) -> OnCase:
        found = await gateway.front.cases.case(case)
        if found is None or not owns(caller, _owners(found)):
            raise no_such_case()
        return OnCase(caller=caller, case=found, key=key)

    return find


def _owners(case: CaseView) -> Owners:
    return Owners(buyer_id=case.buyer_id, merchants=[case.merchant])


@router.post(
    "/sub-orders/{no}/after-sales",
    status_code=201,
    responses={**_WITH_BODY, **_OPENED},
    openapi_extra=takes(AskAfterSale, _ASK),
)
async def ask(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.BUYER, sub_orders=True))],
    key: Annotated[str, Header(alias="Idempotency-Key", pattern=KEY_PATTERN)],
    told: Annotated[AskAfterSale, Depends(body(AskAfterSale))],
    response: Response,
) -> CaseView:
    """Ask for a refund of pieces of a sub-order that has shipped, with or without sending them back.

    The key is kept for ever: the same key and body are the same case. `refund-quote` says first what it comes to."""
    try:
        answer = await gateway.front.after_sales.ask(on.caller.name, key, on.name, told)
    except KeyReused:
        raise Problem(KEY_REUSED, "this key came before, with another body; take a new key for a new case") from None
    shown = await _shown(gateway, on.caller, answer)
    response.headers["Location"] = f"/after-sales/{shown.case_no}"
    return shown


@router.get("/after-sales/{case}", responses=problems(403, 404, 422))
async def show(
    gateway: TheGateway, on: Annotated[OnCase, Depends(on_case(Role.BUYER, Role.MERCHANT, Role.OPERATOR))]
) -> CaseView:
    """A case, and what you may do about it."""
    return _for(on.caller, on.case)


@router.post(
    "/after-sales/{case}/agree", responses=_WITH_BODY, openapi_extra=takes(Agree, {"note": ""}, required=False)
)
async def agree(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.MERCHANT))],
    told: Annotated[Agree, Depends(body(Agree, optional=True))],
) -> CaseView:
    """The merchant agrees: the buyer is paid back, or first sends the goods back."""
    return await _act(gateway, on, CaseAction.AGREE, told)


@router.post(
    "/after-sales/{case}/refuse", responses=_WITH_BODY, openapi_extra=takes(Refuse, {"reason": "worn for a month"})
)
async def refuse(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.MERCHANT))],
    told: Annotated[Refuse, Depends(body(Refuse))],
) -> CaseView:
    """The merchant refuses what is asked, or what came back. The platform decides."""
    return await _act(gateway, on, CaseAction.REFUSE, told)


@router.post(
    "/after-sales/{case}/overrule", responses=_WITH_BODY, openapi_extra=takes(Decide, {"note": "the pictures show it"})
)
async def overrule(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.OPERATOR))],
    told: Annotated[Decide, Depends(body(Decide))],
) -> CaseView:
    """The platform decides for the buyer: as if the merchant had agreed."""
    return await _act(gateway, on, CaseAction.OVERRULE, told)


@router.post(
    "/after-sales/{case}/uphold", responses=_WITH_BODY, openapi_extra=takes(Decide, {"note": "it is plainly worn"})
)
async def uphold(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.OPERATOR))],
    told: Annotated[Decide, Depends(body(Decide))],
) -> CaseView:
    """The platform decides for the merchant: the case ends without a refund."""
    return await _act(gateway, on, CaseAction.UPHOLD, told)


@router.post(
    "/after-sales/{case}/send-back",
    responses=_WITH_BODY,
    openapi_extra=takes(SendBack, {"carrier": "SF", "tracking_no": "SF1390000002"}),
)
async def send_back(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.BUYER))],
    told: Annotated[SendBack, Depends(body(SendBack))],
) -> CaseView:
    """The buyer gave the goods to a carrier."""
    return await _act(gateway, on, CaseAction.SEND_BACK, told)


@router.post("/after-sales/{case}/inspect", responses=_WITH_BODY, openapi_extra=takes(Inspect, _FOUND))
async def inspect(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.MERCHANT))],
    told: Annotated[Inspect, Depends(body(Inspect))],
) -> CaseView:
    """What the merchant found: it is paid back for what it accepts, and what is sellable lies for sale again."""
    return await _act(gateway, on, CaseAction.INSPECT, told)


@router.post(
    "/after-sales/{case}/withdraw", responses=_WITH_BODY, openapi_extra=takes(Withdraw, {"note": ""}, required=False)
)
async def withdraw(
    gateway: TheGateway,
    on: Annotated[OnCase, Depends(on_case(Role.BUYER))],
    told: Annotated[Withdraw, Depends(body(Withdraw, optional=True))],
) -> CaseView:
    """The buyer wants it no more, before the refund is decided."""
    return await _act(gateway, on, CaseAction.WITHDRAW, told)


async def _act(gateway: TheGateway, on: OnCase, action: CaseAction, told: object) -> CaseView:
    answer = await gateway.front.after_sales.act(on.case.case_no, action, told, on.caller.actor, on.key_of(action))
    return await _shown(gateway, on.caller, answer)


async def _shown(gateway: TheGateway, caller: Caller, answer: CaseAnswer) -> CaseView:
    """The case as it is now; or the refusal, with the state and what is allowed instead."""
    refused = answer.refused
    if refused is not None:
        more: dict[str, Any] = {
            "case_status": refused.status,
            "action": refused.action,
            "allowed": list(refused.allowed),
        }
        raise Problem(NOT_ALLOWED_NOW, refused.reason, **more)
    assert answer.facts is not None
    view = await gateway.front.cases.case(answer.facts.case_no)
    assert view is not None
    return _for(caller, view)


def _for(caller: Caller, view: CaseView) -> CaseView:
    return view.model_copy(update={"allowed": list(case_allows(view.status, caller.actor))})
