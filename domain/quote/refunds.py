"""The refunds that a quote document asks for, of order lines: what an order pays back before anything has shipped."""

from collections import Counter
from collections.abc import Iterator, Sequence

from domain.after_sale.piece_refund import LinePart, OrderPieces, PiecesRefund, Place
from domain.order.cart import Terms
from domain.order.product import OnSale
from domain.order.snapshot import TradeSnapshot
from domain.pricing.order_price import sold_lines
from domain.pricing.priced import PricedCart
from domain.quote.document import QuoteDocument, RefundPieces
from domain.splitting.model import PlannedSubOrder


def refunds_asked(
    document: QuoteDocument, priced: PricedCart, sub_orders: Sequence[PlannedSubOrder]
) -> Iterator[PiecesRefund]:
    """Each refund of the document, one after another."""
    pieces = pieces_of(document, priced, sub_orders)
    for asked in document.refunds:
        refund = pieces.refund(next_places(pieces, asked))
        pieces = pieces.after(refund)
        yield refund


def pieces_of(document: QuoteDocument, priced: PricedCart, sub_orders: Sequence[PlannedSubOrder]) -> OrderPieces:
    """The pieces of the order that the document describes, split as it would be."""
    # A document says of everything what it is once: its catalog has one version.
    on_sale = {
        product.sku: OnSale(product=product, version=1, digest=TradeSnapshot.of(product).digest)
        for product in document.catalog
    }
    sold = {line.line_no: line for line in sold_lines(priced, on_sale, Terms())}
    return OrderPieces(
        parts=[
            LinePart(idx, sold[line.line.line_no], line.first, line.last, refunded=0, shipped=False)
            for idx, sub_order in enumerate(sub_orders, start=1)
            for line in sub_order.lines
        ],
        shipping_of={idx: sub_order.shipping_fen for idx, sub_order in enumerate(sub_orders, start=1)},
    )


def next_places(pieces: OrderPieces, asked: Sequence[RefundPieces]) -> dict[Place, int]:
    """Where the next pieces of these lines lie: the units of a line go back in their order, whichever sub-order has
    them."""
    missing: Counter[int] = Counter()
    for line in asked:
        missing[line.line_no] += line.quantity
    places: dict[Place, int] = {}
    of_lines = [part for part in pieces.parts if part.line.line_no in missing]
    for part in sorted(of_lines, key=lambda part: part.first):
        taken = min(part.left, missing[part.line.line_no])
        if taken:
            places[part.place] = taken
            missing[part.line.line_no] -= taken
    return places
