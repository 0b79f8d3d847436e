"""Whose order a request is about. Decided before its body is read, so that a stranger's is refused like no order's."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Path

from domain.base import Message
from domain.order.order_number import BadOrderNo, OrderNo, parse, sub_order_no
from domain.order.ownership import Caller, Role, owns
from domain.order.status import Answer, Refused, Status
from gateway.auth import allow, not_for
from gateway.context import TheGateway
from gateway.problems import NO_SUCH_ORDER, NOT_ALLOWED_NOW, Problem, no_such_order

KEY_PATTERN = "^[!-~]{1,200}$"

Number = Annotated[
    str,
    Path(
        alias="no",
        description="19 digits: an order's number. 21 digits: a sub-order's.",
        # Told, not tested: `number_of` says better what is wrong with it.
        json_schema_extra={"pattern": "^[0-9]{19}([0-9]{2})?$"},
        examples=["1251601938319500104"],
    ),
]
OptionalKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="The same key to the same address is the same act: a repeat gets the first answer.",
    ),
]


class Done(Message):
    """The act is done, and this is the status it led to."""

    number: str
    status: Status


class Acting(Message):
    """A party and what it acts on: an order or sub-order that is its own."""

    caller: Caller
    number: OrderNo
    key: str | None

    @property
    def name(self) -> str:
        return name_of(self.number)

    def key_of(self, act: str) -> str | None:
        """The id of the act's update. The run keeps those of all parties and all acts in one place."""
        return f"{act}/{self.caller.name}/{self.key}" if self.key else None

    def done(self, answer: Answer) -> Done:
        """What the act has led to; raises the problem that tells a refusal."""
        if answer.refused is not None:
            raise not_allowed_now(answer.refused)
        return Done(number=self.name, status=answer.status)


def not_allowed_now(refused: Refused) -> Problem:
    """The refusal, with the state and what is allowed instead."""
    return Problem(
        NOT_ALLOWED_NOW,
        refused.reason,
        order_status=refused.status,
        action=refused.action,
        allowed=list(refused.allowed),
    )


def name_of(number: OrderNo) -> str:
    return number.order_no if number.sub is None else sub_order_no(number.order_no, number.sub)


def number_of(no: str) -> OrderNo:
    """What can't be a number names no order. Saying what is wrong with it tells nothing of those that exist."""
    try:
        return parse(no)
    except BadOrderNo as bad:
        raise Problem(NO_SUCH_ORDER, str(bad)) from None


def acting(
    *roles: Role, orders: bool = False, sub_orders: bool = False
) -> Callable[[TheGateway, Caller, str, str | None], Awaitable[Acting]]:
    """A dependency: a caller with one of the roles, on an order, or sub-order, of its own."""
    permitted = allow(*roles)

    async def find(
        gateway: TheGateway, caller: Annotated[Caller, Depends(permitted)], no: Number, key: OptionalKey = None
    ) -> Acting:
        number = number_of(no)
        if number.sub is None and not orders:
            raise Problem(NO_SUCH_ORDER, f"{no} is an order's number; here a sub-order's is wanted, of 21 digits")
        if number.sub is not None and not sub_orders:
            raise Problem(NO_SUCH_ORDER, f"{no} is a sub-order's number; here an order's is wanted, of 19 digits")
        if number.sub is None and caller.role is Role.MERCHANT:
            raise not_for(caller.role, "only sub-orders are a merchant's; name one of your own")
        owners = await gateway.front.owners.of(number)
        if owners is None or not owns(caller, owners):
            raise no_such_order()
        return Acting(caller=caller, number=number, key=key)

    return find
