"""The lists of buyers, merchants and operators, in pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from domain.order.ownership import Caller, Role
from domain.order.status import Status
from domain.records.views import Page, Tab
from gateway.auth import allow
from gateway.context import TheGateway
from gateway.openapi import problems
from gateway.problems import Wrong, invalid
from gateway.visibility import item_for_buyer

router = APIRouter(tags=["lists"])


class _Pages(BaseModel):
    """A parameter that nobody knows is refused: a filter that is misspelt would show what it should hide."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(20, ge=1, le=100, description="Items in a page")
    after: str | None = Field(None, max_length=200, description="The `next` of the page before")


class OrdersQuery(_Pages):
    tab: Tab | None = Field(None, description="For buyers")
    status: Status | None = Field(None, description="For operators")
    needs_attention: bool | None = Field(None, description="For operators: only orders that need a person")


class SubOrdersQuery(_Pages):
    status: Status | None = None


@router.get("/orders", responses=problems(403, 422))
async def orders(
    gateway: TheGateway,
    caller: Annotated[Caller, Depends(allow(Role.BUYER, Role.OPERATOR))],
    wanted: Annotated[OrdersQuery, Query()],
) -> Page:
    """A buyer's own, newest first: unpaid orders whole, all others by their sub-orders. An operator's: all, whole."""
    views = gateway.front.views
    if caller.role is Role.OPERATOR:
        _refuse_others(wanted, "tab", "is for buyers")
        return await views.for_operators(wanted.status, wanted.needs_attention or False, wanted.size, wanted.after)
    _refuse_others(wanted, "status", "is for operators; take a tab")
    _refuse_others(wanted, "needs_attention", "is for operators")
    page = await views.of_buyer(int(caller.sub), wanted.tab or Tab.ALL, wanted.size, wanted.after)
    return page.model_copy(update={"items": [item_for_buyer(item) for item in page.items]})


@router.get("/sub-orders", responses=problems(403, 422))
async def sub_orders(
    gateway: TheGateway,
    caller: Annotated[Caller, Depends(allow(Role.MERCHANT))],
    wanted: Annotated[SubOrdersQuery, Query()],
) -> Page:
    """A merchant's own sub-orders, newest first."""
    return await gateway.front.views.of_merchant(caller.sub, wanted.status, wanted.size, wanted.after)


def _refuse_others(wanted: OrdersQuery, name: str, why: str) -> None:
    if getattr(wanted, name) is not None:
        raise invalid([Wrong(place=f"query.{name}", problem=why)])
