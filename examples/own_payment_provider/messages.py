"""Acme's words, and how they become the house's: amounts are text in yuan, and what we call a capture is a receipt."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from domain.base import Message, Utc
from domain.order.payment import Capture


def fen_of(amount: object) -> int:
    """`"12.50"` is 1250. Anything else is refused: an amount that is nearly right is wrong."""
    if not isinstance(amount, str) or not re.fullmatch(r"[0-9]{1,12}\.[0-9]{2}", amount):
        raise ValueError("should be an amount in yuan, like 12.50")
    return int(amount.replace(".", ""))


def yuan_of(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"


Yuan = Annotated[int, BeforeValidator(fen_of), Field(ge=1), PlainSerializer(yuan_of)]
"""Fen in the house, yuan on the wire."""

# What our ledgers can hold: an id with a NUL in it is refused here, not by the database.
Id = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]


class AcmeReceipt(Message):
    receipt_id: Id
    charge_id: Id
    amount: Yuan
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    paid_at: Utc

    @property
    def capture(self) -> Capture:
        return Capture(
            capture_id=self.receipt_id,
            payment_id=self.charge_id,
            amount_fen=self.amount,
            currency=self.currency,
            captured_at=self.paid_at,
        )


class AcmeCharge(Message):
    charge_id: Id
    status: Literal["open", "paid", "canceled"]
    pay_url: str
    receipts: list[AcmeReceipt] = Field(default_factory=list)


class AcmeRefund(Message):
    refund_no: Id
    status: Literal["succeeded", "failed"]
    failure: str = ""


class AcmeEvent(Message):
    """What a webhook brings. Acme is told to send this kind only."""

    event_id: Id
    kind: Literal["charge.paid"]
    receipt: AcmeReceipt


class AcmeProblem(Message):
    """What Acme itself says when it says no. Any server says 404 to a wrong address, and in other words."""

    code: str
