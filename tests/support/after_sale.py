"""After-sale as short as tests want it: a received sub-order, and what parties do to a case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from activities.after_sale import CaseOf
from acts.after_sales import AfterSales, body_of
from domain.after_sale.case import (
    Agree,
    AskAfterSale,
    CaseAction,
    CaseAnswer,
    CaseFacts,
    CaseKind,
    CaseStatus,
    Decide,
    Inspect,
    Refuse,
    SendBack,
    Withdraw,
)
from domain.order.pieces import Pieces
from domain.order.status import Actor
from store.after_sale.cases import PostgresAfterSales
from tests.support.shop import Person, Shop, until
from tests.support.trade import buy, cart
from workflows import run_names

RETURN, REFUND = CaseKind.RETURN_AND_REFUND, CaseKind.REFUND_ONLY


def pieces(wanted: Mapping[int, int]) -> list[Pieces]:
    return [Pieces(line_no=line_no, quantity=quantity) for line_no, quantity in wanted.items()]


def asked(wanted: Mapping[int, int], kind: CaseKind = RETURN) -> AskAfterSale:
    return AskAfterSale(kind=kind, lines=pieces(wanted), reason="cracked")


@dataclass
class Counter:
    """The after-sale counter of a shop: each act returns the plain answer."""

    shop: Shop

    def __post_init__(self) -> None:
        self.cases = PostgresAfterSales(self.shop.engine)
        self.front = AfterSales(self.shop.client, self.cases, self.shop.settings.task_queue)

    async def ask(self, number: str, wanted: Mapping[int, int], kind: CaseKind = RETURN, key: str = "") -> CaseAnswer:
        return await self.front.ask("buyer/1", key or uuid4().hex, number, asked(wanted, kind))

    async def mint(self, number: str, wanted: Mapping[int, int], key: str) -> str:
        """The number alone, as a gateway that dies right after has it."""
        return await self.cases.mint("buyer/1", key, body_of(number, asked(wanted)), number)

    async def opened(self, number: str, wanted: Mapping[int, int], kind: CaseKind = RETURN) -> str:
        """A case's number."""
        answer = await self.ask(number, wanted, kind)
        assert answer.facts is not None and answer.refused is None, answer
        return answer.facts.case_no

    async def agree(self, case_no: str, key: str | None = None) -> CaseAnswer:
        return await self._act(case_no, CaseAction.AGREE, Agree(), Actor.MERCHANT, key)

    async def refuse(self, case_no: str, why: str = "worn") -> CaseAnswer:
        return await self._act(case_no, CaseAction.REFUSE, Refuse(reason=why), Actor.MERCHANT)

    async def overrule(self, case_no: str) -> CaseAnswer:
        return await self._act(case_no, CaseAction.OVERRULE, Decide(note="the pictures show it"), Actor.PLATFORM)

    async def uphold(self, case_no: str) -> CaseAnswer:
        return await self._act(case_no, CaseAction.UPHOLD, Decide(note="it is worn"), Actor.PLATFORM)

    async def send_back(self, case_no: str) -> CaseAnswer:
        return await self._act(case_no, CaseAction.SEND_BACK, SendBack(carrier="SF", tracking_no="R1"), Actor.BUYER)

    async def inspect(
        self,
        case_no: str,
        accepted: Mapping[int, int],
        sellable: Mapping[int, int] | None = None,
        gifts_back: Sequence[int] = (),
    ) -> CaseAnswer:
        """Unless told, all that was accepted can be sold again."""
        can_be_sold = pieces(accepted if sellable is None else sellable)
        found = Inspect(accepted=pieces(accepted), sellable=can_be_sold, gifts_back=list(gifts_back))
        return await self._act(case_no, CaseAction.INSPECT, found, Actor.MERCHANT)

    async def withdraw(self, case_no: str, key: str | None = None) -> CaseAnswer:
        return await self._act(case_no, CaseAction.WITHDRAW, Withdraw(), Actor.BUYER, key)

    async def _act(
        self, case_no: str, action: CaseAction, told: object, actor: Actor, key: str | None = None
    ) -> CaseAnswer:
        return await self.front.act(case_no, action, told, actor, key)

    async def show(self, case_no: str) -> CaseFacts:
        found = await self.cases.look_up_case(CaseOf(case_no=case_no))
        assert found.facts is not None, f"there is no case {case_no}"
        return found.facts

    async def when(self, case_no: str, status: CaseStatus, timeout_s: float = 20.0) -> CaseFacts:
        return await until(lambda: self.show(case_no), lambda facts: facts.status is status, timeout_s)

    async def ended(self, case_no: str, status: CaseStatus, timeout_s: float = 20.0) -> CaseFacts:
        """The run, too."""
        facts = await self.when(case_no, status, timeout_s)
        await self.run(case_no).result()
        return facts

    def run(self, case_no: str) -> Any:
        return self.shop.client.get_workflow_handle(run_names.after_sale_id(case_no))

    async def sent_back(self, number: str, wanted: Mapping[int, int]) -> str:
        """A case that the merchant agreed to and whose goods are on their way to it."""
        case_no = await self.opened(number, wanted)
        for act in (self.agree, self.send_back):
            assert (await act(case_no)).refused is None
        return case_no


async def received(shop: Shop, *lines: tuple[str, int], fen: int | None = None, **terms: Any) -> tuple[str, str]:
    """An order of one sub-order that the buyer has: its number, and the sub-order's."""
    wanted = cart(shop, Person(), fen if fen is not None else 1_000 * sum(n for _, n in lines), *lines)
    order_no = await buy(shop, wanted, **terms)
    (number,) = await shop.split(order_no)
    assert (await shop.ship(number)).refused is None
    assert (await shop.confirm(number)).refused is None
    return order_no, number
