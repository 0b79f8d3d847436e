"""Order numbers: 19 digits that an operator can read, and that tell nobody how many orders there are.

    1 2506 3 938319 5 001042          an order:      L DDDD C MMMMMM K GGGGGG
    1 2506 3 938319 02 9 001042       its 2nd part:  L DDDD C MMMMMM SS K GGGGGG

L  layout, 1 to 8: moves on when a day's numbers for a gene run short; 9 would pass 2^63
D  days since 2020-01-01 (to 2047-05-18)
C  channel family (business type)
M  keyed and scrambled: HMAC-SHA256 of the caller's key, so a crashed minting finds its number again
S  sub-order 01 to 99
K  check digit, by Damm's quasigroup over the whole number
G  the buyer's shard gene: finds the database shard with no look-up, and puts a buyer's orders together

A number made here is a candidate. The database's unique key makes it an order's: on a clash take the next attempt.
"""

import hashlib
import hmac
import json
import re
from datetime import date, timedelta
from typing import NamedTuple

from domain.base import Message

EPOCH = date(2020, 1, 1)
GENES = 1_000_000
LAYOUTS = 8
ATTEMPTS_PER_LAYOUT = 16
ATTEMPTS = LAYOUTS * ATTEMPTS_PER_LAYOUT
SECRET_BYTES = 16

_DIGITS = "0123456789"
_ORDER_DIGITS, _SUB_ORDER_DIGITS = 19, 21
_HEAD = slice(0, 12)  # L DDDD C MMMMMM
_GENE = slice(-6, None)

# The table is totally anti-symmetric: (c*x)*y == (c*y)*x only if x == y. Each row and each column holds every digit
# once, so the digits after a mistake can't hide it. Neither depends on where in the number the check digit is.
_DAMM = tuple(
    tuple(int(digit) for digit in row)
    for row in (
        "0317598642",
        "7092154863",
        "4206871359",
        "1750983426",
        "6123045978",
        "3674209581",
        "5869720134",
        "8945362017",
        "9438617205",
        "2581436790",
    )
)


class BadOrderNo(ValueError):
    """Raised for a text that is no order number; the message says what is wrong and what would be right. The gateway
    answers that there is no such order, the command line ends with bad input."""


class OutOfNumbers(RuntimeError):
    """Raised when every attempt in every layout was taken: the day's numbers for this gene and channel are as good as
    used up. The gateway answers 503."""


class OrderNo(Message):
    """What a number says. `sub` is the sub-order's index, None for a whole order; `order_no` is always the order's."""

    order_no: str
    sub: int | None
    day: date
    channel: int
    gene: int
    layout: int


class _Fields(NamedTuple):
    head: str
    part: str
    check: str
    gene: str


def gene_of(buyer_id: int) -> int:
    """The last six digits of the buyer's id, by which all orders of one buyer lie in one shard."""
    return buyer_id % GENES


def candidate(
    secret: bytes, caller: str, idempotency_key: str, buyer_id: int, day: date, channel: int, attempt: int
) -> str:
    """The number to try for this checkout. The same arguments always give the same number.

    Raises OutOfNumbers when `attempt` is past the last one."""
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"the order numbers' secret has {len(secret)} bytes; give at least {SECRET_BYTES}")
    if not 0 <= channel <= 9:
        raise ValueError(f"channel {channel} is not one digit; give 0 to 9")
    head = f"{_layout(attempt)}{_days(day):04d}{channel}{_middle(secret, caller, idempotency_key, attempt):06d}"
    return _with_check(head, "", f"{gene_of(buyer_id):06d}")


def sub_order_no(order_no: str, index: int) -> str:
    """The number of the order's sub-order `index` (1 to 99)."""
    if not 1 <= index <= 99:
        raise ValueError(f"sub-order {index} does not exist; an order has sub-orders 1 to 99")
    order = parse(order_no)
    if order.sub is not None:
        raise BadOrderNo(f"{order_no} is a sub-order's number already; its order is {order.order_no}")
    return _with_check(order_no[_HEAD], f"{index:02d}", order_no[_GENE])


def parse(text: str) -> OrderNo:
    """Read an order's or a sub-order's number; raises BadOrderNo."""
    fields = _fields(text)
    if fields.head[0] not in "12345678":
        raise BadOrderNo(f"{text} begins with {fields.head[0]}; the first digit, its layout, is 1 to 8")
    if fields.part == "00":
        raise BadOrderNo(f"{text} names sub-order 00; sub-orders are numbered 01 to 99")
    right = _with_check(fields.head, fields.part, fields.gene)
    if text != right:
        at = len(fields.head + fields.part) + 1
        raise BadOrderNo(
            f"{text} has a wrong digit, or two that changed places: its check digit (the {at}th) is"
            f" {fields.check}, and would be {right[at - 1]} if all others were right; read it again at its source"
        )
    return OrderNo(
        order_no=_with_check(fields.head, "", fields.gene),
        sub=int(fields.part) if fields.part else None,
        day=EPOCH + timedelta(days=int(fields.head[1:5])),
        channel=int(fields.head[5]),
        gene=int(fields.gene),
        layout=int(fields.head[0]),
    )


def _fields(text: str) -> _Fields:
    if not re.fullmatch(r"[0-9]*", text):
        raise BadOrderNo(f"{text[:40]!r} holds something other than the digits 0 to 9; write the digits only")
    if len(text) not in (_ORDER_DIGITS, _SUB_ORDER_DIGITS):
        raise BadOrderNo(
            f"{text[:40]!r} has {len(text)} digits; an order's number has {_ORDER_DIGITS},"
            f" a sub-order's {_SUB_ORDER_DIGITS}"
        )
    return _Fields(text[_HEAD], text[12:-7], text[-7], text[_GENE])


def _layout(attempt: int) -> int:
    if attempt < 0:
        raise ValueError(f"attempt {attempt} is below 0; the first is 0")
    if attempt >= ATTEMPTS:
        raise OutOfNumbers(
            f"{ATTEMPTS} numbers in a row were taken, {ATTEMPTS_PER_LAYOUT} in each of {LAYOUTS} layouts:"
            " the day's numbers for this buyer's gene are used up; mint on another channel"
        )
    return 1 + attempt // ATTEMPTS_PER_LAYOUT


def _days(day: date) -> int:
    days = (day - EPOCH).days
    if not 0 <= days <= 9_999:
        last = EPOCH + timedelta(days=9_999)
        raise ValueError(f"{day} has no place in an order number; days run from {EPOCH} to {last}")
    return days


def _middle(secret: bytes, caller: str, idempotency_key: str, attempt: int) -> int:
    # JSON keeps caller and key apart, so that no two pairs give the same text.
    told = json.dumps(["order-number", caller, idempotency_key, attempt]).encode()
    return int.from_bytes(hmac.digest(secret, told, hashlib.sha256)) % 1_000_000


def _with_check(head: str, part: str, gene: str) -> str:
    """The whole number with its check digit. Exactly one digit brings it to 0: each row and each column of the table
    has every digit once."""
    return next(f"{head}{part}{k}{gene}" for k in _DIGITS if _damm(f"{head}{part}{k}{gene}") == 0)


def _damm(number: str) -> int:
    interim = 0
    for digit in number:
        interim = _DAMM[interim][int(digit)]
    return interim
