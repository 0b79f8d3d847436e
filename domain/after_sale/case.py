"""After-sale (售后): the states of a case, who may do what in each, and where it leads.

`TABLE` is the whole life of a case, as `domain.order.status.TABLE` is of a sub-order. Whoever changes a case asks
`move`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from domain.base import Document, Message, Utc
from domain.order.cart import Terms
from domain.order.pieces import Pieces, SomePieces
from domain.order.status import Actor, AfterSaleFact


class CaseKind(StrEnum):
    REFUND_ONLY = "REFUND_ONLY"  # 仅退款
    RETURN_AND_REFUND = "RETURN_AND_REFUND"  # 退货退款


class CaseStatus(StrEnum):
    REQUESTED = "REQUESTED"  # the merchant is asked
    DISPUTED = "DISPUTED"  # the merchant has refused; the platform is asked
    AWAITING_RETURN = "AWAITING_RETURN"  # the buyer is to send the goods back
    RETURNING = "RETURNING"  # they are on their way to the merchant, who inspects them
    REFUNDING = "REFUNDING"  # decided: the money, and what came back, go where they belong
    REFUNDED = "REFUNDED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"  # the goods were not sent back in time


ENDINGS = (CaseStatus.REFUNDED, CaseStatus.REFUSED, CaseStatus.WITHDRAWN, CaseStatus.EXPIRED)


class CaseAction(StrEnum):
    AGREE = "AGREE"
    REFUSE = "REFUSE"
    OVERRULE = "OVERRULE"
    UPHOLD = "UPHOLD"
    SEND_BACK = "SEND_BACK"
    EXPIRE = "EXPIRE"
    INSPECT = "INSPECT"
    WITHDRAW = "WITHDRAW"
    PAY_BACK = "PAY_BACK"
    FAIL = "FAIL"  # the pieces have gone back by another way meanwhile


class CaseMove(Message):
    """Who may do an action in a state, and the state it leads to. `needs_goods`: when they are still to come back,
    to AWAITING_RETURN instead."""

    by: tuple[Actor, ...]
    to: CaseStatus
    needs_goods: bool = False


_B, _M, _P, _T = Actor.BUYER, Actor.MERCHANT, Actor.PLATFORM, Actor.CLOCK
_WITHDRAW = CaseMove(by=(_B,), to=CaseStatus.WITHDRAWN)
_REFUSE = CaseMove(by=(_M,), to=CaseStatus.DISPUTED)

TABLE: dict[CaseStatus, dict[CaseAction, CaseMove]] = {
    CaseStatus.REQUESTED: {
        CaseAction.AGREE: CaseMove(by=(_M, _T), to=CaseStatus.REFUNDING, needs_goods=True),
        CaseAction.REFUSE: _REFUSE,
        CaseAction.WITHDRAW: _WITHDRAW,
    },
    CaseStatus.DISPUTED: {
        CaseAction.OVERRULE: CaseMove(by=(_P, _T), to=CaseStatus.REFUNDING, needs_goods=True),
        CaseAction.UPHOLD: CaseMove(by=(_P, _T), to=CaseStatus.REFUSED),
        CaseAction.WITHDRAW: _WITHDRAW,
    },
    CaseStatus.AWAITING_RETURN: {
        CaseAction.SEND_BACK: CaseMove(by=(_B,), to=CaseStatus.RETURNING),
        CaseAction.EXPIRE: CaseMove(by=(_T,), to=CaseStatus.EXPIRED),
        CaseAction.WITHDRAW: _WITHDRAW,
    },
    CaseStatus.RETURNING: {
        CaseAction.INSPECT: CaseMove(by=(_M, _T), to=CaseStatus.REFUNDING),
        CaseAction.REFUSE: _REFUSE,
        CaseAction.WITHDRAW: _WITHDRAW,
    },
    CaseStatus.REFUNDING: {
        CaseAction.PAY_BACK: CaseMove(by=(_P,), to=CaseStatus.REFUNDED),
        CaseAction.FAIL: CaseMove(by=(_P,), to=CaseStatus.REFUSED),
    },
    **{ending: {} for ending in ENDINGS},
}


class CaseRefused(Message):
    """An action that the state does not allow. Nothing has changed. `status` is None when there is no
    case."""

    status: CaseStatus | None
    action: CaseAction | None
    allowed: tuple[CaseAction, ...] = ()
    reason: str


def case_allows(status: CaseStatus, actor: Actor) -> tuple[CaseAction, ...]:
    return tuple(action for action, one in TABLE[status].items() if actor in one.by)


def case_refusal(status: CaseStatus, action: CaseAction, actor: Actor, why: str = "") -> CaseRefused:
    """Say no, with the state, the action, and what this party may do instead."""
    can = case_allows(status, actor)
    reason = why or f"{action} is not for {actor} while the case is {status}"
    listed = ", ".join(can) or "nothing"
    return CaseRefused(status=status, action=action, allowed=can, reason=f"{reason}; allowed now: {listed}")


def move(status: CaseStatus, action: CaseAction, actor: Actor, *, goods_to_come: bool) -> CaseStatus | CaseRefused:
    """The state after the action, or why not. `goods_to_come`: the case is about goods that are not sent back yet."""
    found = TABLE[status].get(action)
    if found is None or actor not in found.by:
        return case_refusal(status, action, actor)
    return CaseStatus.AWAITING_RETURN if found.needs_goods and goods_to_come else found.to


# --- the clock


def clocks_action(status: CaseStatus, terms: Terms) -> CaseAction | None:
    """What happens by itself at the end of a state's window; None where nothing does."""
    undecided = CaseAction.OVERRULE if terms.after_sale_undecided_overrules else CaseAction.UPHOLD
    return {
        CaseStatus.REQUESTED: CaseAction.AGREE,
        CaseStatus.DISPUTED: undecided,
        CaseStatus.AWAITING_RETURN: CaseAction.EXPIRE,
        CaseStatus.RETURNING: CaseAction.INSPECT,
    }.get(status)


def due_at(status: CaseStatus, since: datetime, terms: Terms) -> datetime | None:
    """When the clock acts on a case that is in this state since then."""
    windows = {
        CaseStatus.REQUESTED: terms.after_sale_answer_window_s,
        CaseStatus.DISPUTED: terms.after_sale_overrule_window_s,
        CaseStatus.AWAITING_RETURN: terms.after_sale_return_window_s,
        CaseStatus.RETURNING: terms.after_sale_inspection_window_s,
    }
    return since + timedelta(seconds=windows[status]) if status in windows else None


def mark_of(cases: Iterable[CaseStatus]) -> AfterSaleFact:
    """The mark of a sub-order, from its cases."""
    every = list(cases)
    if not every:
        return AfterSaleFact.NONE
    return AfterSaleFact.SETTLED if all(case in ENDINGS for case in every) else AfterSaleFact.OPEN


# --- what parties say


class AskAfterSale(Document):
    """What a buyer wants of a sub-order: pieces of its lines. Gifts are not named: they go back with what they were
    given for."""

    kind: CaseKind
    lines: SomePieces
    reason: str = Field(min_length=1, max_length=500)


class Agree(Document):
    """The merchant agrees."""

    note: str = Field(default="", max_length=500)


class Refuse(Document):
    """The merchant does not agree: at the request, or when it has seen what came back."""

    reason: str = Field(min_length=1, max_length=500)


class Decide(Document):
    """The platform's word on a case that the merchant has refused."""

    note: str = Field(min_length=1, max_length=500)


class SendBack(Document):
    """The buyer gave the goods to a carrier."""

    carrier: str = Field(min_length=1, max_length=50)
    tracking_no: str = Field(min_length=1, max_length=100)


class Inspect(Document):
    """What the merchant found: the pieces it accepts, those that can be sold again (of gifts, too), and the lines of
    gifts that came back."""

    accepted: SomePieces
    sellable: list[Pieces] = Field(default_factory=list, max_length=1_000)
    gifts_back: list[int] = Field(default_factory=list, max_length=1_000)


class Withdraw(Document):
    """The buyer wants it no more."""

    note: str = Field(default="", max_length=500)


class CaseAct(Message):
    """What a party, or the clock, does to a case. What an action does not need is left out."""

    action: CaseAction
    actor: Actor
    note: str = ""
    carrier: str = ""
    tracking_no: str = ""
    inspected: Inspect | None = None


class CaseFacts(Message):
    """A case as it is now. `revision` counts its changes: the higher is the newer. `gifts` are the lines of the order's
    gifts that can come back. Money in fen."""

    case_no: str
    order_no: str
    sub_order_no: str
    merchant: str
    kind: CaseKind
    status: CaseStatus
    revision: int
    lines: list[Pieces]
    since: Utc
    due_at: Utc | None = None
    inspected: Inspect | None = None
    gifts: list[int] = []  # noqa: RUF012  pydantic copies it
    clocks_action: CaseAction | None = None
    amount_fen: int | None = None
    said: str = ""

    @property
    def ended(self) -> bool:
        return self.status in ENDINGS

    @property
    def found(self) -> Inspect:
        """What is refunded. Where nobody has inspected: all of it, with its gifts; and nothing can be sold again,
        since nobody has seen it."""
        return self.inspected or Inspect(accepted=self.lines, gifts_back=self.gifts)


class CaseAnswer(Message):
    """What came of a request or an act: the case as it is now, or why not."""

    facts: CaseFacts | None = None
    refused: CaseRefused | None = None


class StartAfterSale(Message):
    """The start input of a case's run: all it needs to open the case, whoever dies."""

    case_no: str
    sub_order_no: str
    ask: AskAfterSale


class AfterSaleEnded(Message):
    """How a case's run ended. `status` is None when the case was never opened."""

    case_no: str
    status: CaseStatus | None
    amount_fen: int | None = None
    reason: str = ""
