"""Where a story is played for the recording, and how it says what it was about."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from tests.support.shop import Person, Shop, until
from tests.support.stories import suspicious

FAR: dict[str, Any] = {"payment_window_s": 600, "review_window_s": 600, "escalation_window_s": 600}

_one_at_a_time = asyncio.Lock()  # two at once would take the same numbers for the orders they make up


@dataclass
class Stage:
    """One story's view of the shop."""

    shop: Shop
    better: Callable[[], Awaitable[object]]
    """Wait until every story of the bad day is as far; then the day ends."""

    about: list[str] = field(default_factory=list)
    """The payments whose runs are to be kept: order numbers, mostly."""

    audits: list[str] = field(default_factory=list)
    """The audits whose runs are to be kept, by the runs' ids."""

    async def order(self, *merchants: str, person: Person | None = None, **terms: Any) -> str:
        """An order that is taken: one piece from each merchant."""
        order_no = await self.shop.place(
            [await self.shop.sku(merchant=m) for m in merchants or ("m1",)], person, **terms
        )
        self.about.append(order_no)
        return order_no

    async def paid(self, *merchants: str, **terms: Any) -> tuple[str, list[str]]:
        order_no = await self.order(*merchants, **terms)
        await self.shop.pay(order_no)
        numbers = await self.shop.split(order_no)
        for number in numbers:
            await until(lambda number=number: self.there(number), bool)  # type: ignore[misc]
        return order_no, numbers

    async def there(self, number: str) -> bool:
        """Whether the sub-order's run has started: it is in the database a moment before."""
        try:
            await self.shop.sub_run(number).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def there_is_none(self, number: str) -> bool:
        """Whether the sub-order has no open run, also by Temporal's list of them."""
        query = f"ExecutionStatus = 'Running' AND WorkflowId = 'sub-order/{number}'"
        return (await self.shop.client.count_workflows(query)).count == 0

    async def suspicious(self) -> Person:
        async with _one_at_a_time:
            return await suspicious(self.shop)

    async def refused(self, *skus: str, person: Person | None = None, expected_fen: int = 1000) -> None:
        placement = await self.shop.ask(self.shop.cart(skus, person or Person(), expected_fen=expected_fen))
        assert placement.refusal is not None
        self.about.append(placement.order_no)
        await self.shop.ended(placement.order_no)

    async def received(self, *numbers: str) -> None:
        for number in numbers:
            assert (await self.shop.ship(number)).refused is None
            assert (await self.shop.confirm(number)).refused is None

    async def needs_person(self, order_no: str, topic: str) -> None:
        """Until the order's record says so; by then the story is in its first pause."""
        await self.shop.when(order_no, lambda view: any(mark.topic == topic for mark in view.attention))


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Story:
    """`day` names the bad day it needs; `open`: it is left in the middle."""

    play: Play
    day: str = ""
    open: bool = False

    @property
    def name(self) -> str:
        return self.play.__name__.replace("_", "-")


STORIES: list[Story] = []


def story(day: str = "", *, open: bool = False) -> Callable[[Play], Play]:
    def register(play: Play) -> Play:
        STORIES.append(Story(play, day, open))
        return play

    return register
