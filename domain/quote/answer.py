"""What a cart would cost, how it would be split, and what refunds would pay back: the answer to a quote
document.

The same pricing, splitting and refunds serve real orders; nothing here decides anything of its own.
"""

from collections.abc import Sequence
from datetime import date

from pydantic import Field

from domain.base import Message
from domain.order.cart import PricingMode
from domain.order.product import DeliveryMode
from domain.pricing.competition import WhyNotApplied
from domain.pricing.levels import Circumstances, Wanted, price
from domain.pricing.priced import PricedCart, Win
from domain.pricing.promotion import Funder
from domain.quote.document import QuoteDocument
from domain.quote.refunds import refunds_asked
from domain.splitting.cut import split
from domain.splitting.model import MAX_SUB_ORDERS, OrderedLine, PlannedSubOrder
from domain.splitting.packing import TooManyParcels
from domain.strict_json import BadInput, read_document


class DiscountShare(Message):
    promotion_id: str
    amount_fen: int


class AnswerLine(Message):
    line_no: int
    sku: str
    quantity: int
    goods_fen: int
    pay_fen: int
    discounts: list[DiscountShare]


class NotApplied(Message):
    promotion_id: str
    reason: WhyNotApplied


class AnswerGift(Message):
    promotion_id: str
    sku: str
    quantity: int
    line_no: int


class AnswerSubOrderLine(Message):
    line_no: int
    quantity: int
    pay_fen: int


class AnswerSubOrder(Message):
    merchant: str
    delivery_mode: DeliveryMode
    ships_from: date | None
    handling: str
    warehouse: str | None
    lines: list[AnswerSubOrderLine]
    pay_fen: int
    shipping_fen: int
    weight_g: int
    volume_cm3: int
    flags: list[str]


class AnswerRefund(Message):
    """What one refund pays back, and what stays paid of the amount due after it."""

    amount_fen: int
    left_fen: int


class QuoteAnswer(Message):
    """The answer, in the form other programs read. `wins` explains it to people and is no part of the
    JSON."""

    mode: PricingMode
    goods_fen: int
    discount_fen: int
    shipping_fen: int
    amount_due_fen: int
    lines: list[AnswerLine]
    funding_fen: dict[Funder, int]
    not_applied: list[NotApplied]
    gifts: list[AnswerGift]
    sub_orders: list[AnswerSubOrder]
    refunds: list[AnswerRefund]
    wins: list[Win] = Field(default_factory=list, exclude=True)


def read_quote_document(text: str | bytes) -> QuoteDocument:
    """The document in a JSON text; `BadInput` when it is not one."""
    return read_document(QuoteDocument, text)


def quote(document: QuoteDocument) -> QuoteAnswer:
    """Price, split and refund. `BadInput` when the order would have too many sub-orders."""
    priced = price_document(document)
    sub_orders = split_document(document, priced)
    return QuoteAnswer(
        mode=document.mode,
        goods_fen=priced.goods_fen,
        discount_fen=priced.goods_fen - priced.pay_fen,
        shipping_fen=document.shipping_fen,
        amount_due_fen=priced.pay_fen + document.shipping_fen,
        lines=_lines(priced),
        funding_fen=priced.funding(),
        not_applied=[NotApplied(promotion_id=id_, reason=reason) for id_, reason in priced.not_applied],
        gifts=[
            AnswerGift(promotion_id=g.promotion_id, sku=g.product.sku, quantity=g.quantity, line_no=g.line_no)
            for g in priced.gifts
        ],
        sub_orders=[_sub_order(sub_order) for sub_order in sub_orders],
        refunds=_refunds(document, priced, sub_orders),
        wins=list(priced.wins),
    )


def price_document(document: QuoteDocument) -> PricedCart:
    """The priced cart of a document."""
    products = document.products
    cart = [Wanted(line.line_no, line.quantity, products[line.sku]) for line in document.lines]
    tier = None if document.buyer is None else document.buyer.tier
    now = Circumstances(document.mode, document.at, tier, frozenset(document.coupons))
    return price(cart, document.promotions, now, products)


def split_document(document: QuoteDocument, priced: PricedCart) -> list[PlannedSubOrder]:
    """The sub-orders of a document's priced cart."""
    preferred = {line.line_no: line.preferred_warehouse for line in document.lines}
    bought = [OrderedLine(p.line_no, p.quantity, p.pay_fen, p.product, preferred[p.line_no]) for p in priced.lines]
    gifts = [OrderedLine(gift.line_no, gift.quantity, 0, gift.product) for gift in priced.gifts]
    try:
        return split(bought + gifts, document.places, document.shipping_fen)
    except TooManyParcels:
        problem = f"would be cut into more than {MAX_SUB_ORDERS} sub-orders; order fewer pieces at once"
        raise BadInput("lines", problem) from None


def _lines(priced: PricedCart) -> list[AnswerLine]:
    return [
        AnswerLine(
            line_no=line.line_no,
            sku=line.product.sku,
            quantity=line.quantity,
            goods_fen=line.goods_fen,
            pay_fen=line.pay_fen,
            discounts=[DiscountShare(promotion_id=s.promotion_id, amount_fen=s.amount_fen) for s in line.shares],
        )
        for line in priced.lines
    ]


def _sub_order(sub_order: PlannedSubOrder) -> AnswerSubOrder:
    keys = sub_order.keys
    return AnswerSubOrder(
        merchant=keys["merchant"],
        delivery_mode=keys["delivery_mode"],
        ships_from=keys["ships_from"],
        handling=keys["handling"],
        warehouse=keys["warehouse"],
        lines=[
            AnswerSubOrderLine(line_no=line.line.line_no, quantity=line.quantity, pay_fen=line.pay_fen)
            for line in sub_order.lines
        ],
        pay_fen=sub_order.pay_fen,
        shipping_fen=sub_order.shipping_fen,
        weight_g=sum(line.line.product.weight_g * line.quantity for line in sub_order.lines),
        volume_cm3=sum(line.line.product.volume_cm3 * line.quantity for line in sub_order.lines),
        flags=list(sub_order.flags),
    )


def _refunds(document: QuoteDocument, priced: PricedCart, sub_orders: Sequence[PlannedSubOrder]) -> list[AnswerRefund]:
    left_fen = priced.pay_fen + document.shipping_fen
    answers = []
    for refund in refunds_asked(document, priced, sub_orders):
        left_fen -= refund.amount_fen
        answers.append(AnswerRefund(amount_fen=refund.amount_fen, left_fen=left_fen))
    return answers
