"""What some pieces would bring back, before anybody agrees to it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.refunds import GiftBack, QuoteRefund, RefundQuote
from domain.base import Message
from domain.order.acts import CancelPieces
from domain.order.ownership import Role
from domain.order.pieces import Pieces
from gateway.context import TheGateway
from gateway.openapi import problems
from gateway.parties import Acting, acting, not_allowed_now
from gateway.problems import Wrong, invalid

router = APIRouter(tags=["refunds"])


class RefundQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    line: list[Annotated[str, Field(pattern="^[1-9][0-9]{0,5}=[1-9][0-9]{0,5}$")]] = Field(
        min_length=1,
        max_length=200,
        description="Pieces: a line's number and how many of it, as in `1=2`. May be repeated, for other lines.",
    )


class LineRefundPreview(Message):
    """Pieces that would go back, and what is paid back for them."""

    sub_order_no: str
    line_no: int
    sku: str
    title: str
    quantity: int
    amount_fen: int


class RefundPreview(Message):
    """`amount_fen` is what the buyer would get: the lines' amounts and the shipping, less what is withheld for gifts
    that are kept. `gifts_to_return` want to come back with the pieces: one that does not is taken off, too."""

    lines: list[LineRefundPreview]
    shipping_fen: int
    gifts_to_return: list[GiftBack]
    gifts_kept: list[GiftBack]
    withheld_fen: int
    amount_fen: int
    points: int
    coupons_back: bool


@router.get("/sub-orders/{no}/refund-quote", responses=problems(403, 404, 409, 422))
async def refund_quote(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.BUYER, Role.MERCHANT, Role.OPERATOR, sub_orders=True))],
    wanted: Annotated[RefundQuery, Query()],
) -> RefundPreview:
    """What these pieces of a sub-order would bring back now. Nothing is done."""
    quote = await gateway.front.refunds.quote_refund(QuoteRefund(sub_order_no=on.name, lines=_pieces(wanted.line)))
    if quote.refused is not None:
        raise not_allowed_now(quote.refused)
    return _preview(quote)


def _pieces(lines: list[str]) -> list[Pieces]:
    pairs = [line.split("=") for line in lines]
    try:
        named = [Pieces(line_no=int(number), quantity=int(pieces)) for number, pieces in pairs]
        return CancelPieces(lines=named).lines
    except ValidationError as error:
        raise invalid([Wrong(place="query.line", problem=one["msg"]) for one in error.errors()]) from None


def _preview(quote: RefundQuote) -> RefundPreview:
    """The quote without who funds the discounts, which is not the buyer's business."""
    return RefundPreview(
        lines=[
            LineRefundPreview(
                sub_order_no=line.sub_order_no,
                line_no=line.line_no,
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                amount_fen=line.pay_fen,
            )
            for line in quote.lines
        ],
        shipping_fen=quote.shipping_fen,
        gifts_to_return=quote.gifts_to_return,
        gifts_kept=quote.gifts_kept,
        withheld_fen=quote.withheld_fen,
        amount_fen=quote.amount_fen,
        points=quote.points,
        coupons_back=quote.coupons,
    )
