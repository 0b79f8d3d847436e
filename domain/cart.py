"""What a buyer asks for, and the terms it is sold under: the input of an order's run."""

from pydantic import Field, field_validator

from domain.base import Document, Message


class Address(Document):
    """Where it goes. Personal: never in an id, a search attribute or a log."""

    recipient: str = Field(min_length=1, max_length=100)
    phone: str = Field(pattern=r"^\+?[0-9][0-9\- ]{4,24}$")
    region: str = Field(min_length=1, max_length=100)
    street: str = Field(min_length=1, max_length=300)


class CartLine(Document):
    line_no: int = Field(ge=1, le=10_000)
    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=1_000_000)


class Cart(Document):
    """A checkout's body. `expected_amount_fen` is the total the buyer was shown: another one is refused."""

    buyer_id: int = Field(ge=1, le=2**53)
    lines: list[CartLine] = Field(min_length=1)
    expected_amount_fen: int = Field(ge=0)
    address: Address
    device_id: str = Field(min_length=1, max_length=128)
    ip: str = Field(default="", max_length=45)

    @field_validator("lines")
    @classmethod
    def _numbered_once(cls, lines: list[CartLine]) -> list[CartLine]:
        seen: set[int] = set()
        for line in lines:
            if line.line_no in seen:
                raise ValueError(f"line number {line.line_no} stands twice; number each line once")
            seen.add(line.line_no)
        return lines


class Terms(Message):
    """The windows and sides an order is sold under, fixed when it is placed: a changed setting changes no order.

    All in whole seconds."""

    payment_window_s: int = 1_800
    dispatch_window_s: int = 3 * 86_400
    transit_window_s: int = 15 * 86_400
    receipt_window_s: int = 7 * 86_400
    review_window_s: int = 3_600
    escalation_window_s: int = 4 * 3_600
    undecided_passes: bool = False


class StartOrder(Message):
    """The start input of an order's run: all it needs to go on, whoever dies."""

    order_no: str
    caller: str
    cart: Cart
    terms: Terms
