"""What a cart costs, or why it can't be had."""

from collections.abc import Mapping

from domain.base import Message
from domain.cart import Cart, CartLine
from domain.order import OrderLine, PricedOrder, Product, Refusal, RefusalCode
from domain.split import KEYS, MOST_SUB_ORDERS


class Limits(Message):
    """How large an order may be. A platform's settings."""

    lines: int = 200
    pieces_per_line: int = 999
    amount_fen: int = 100_000_000


def within_limits(cart: Cart, limits: Limits) -> Refusal | None:
    """Why the cart is too large, naming the place and the limit; None when it is not."""
    if len(cart.lines) > limits.lines:
        return _too_large("lines", f"the cart has {len(cart.lines)} lines", f"at most {limits.lines}")
    for position, line in enumerate(cart.lines):
        if line.quantity > limits.pieces_per_line:
            said = f"{line.quantity} pieces of {line.sku}"
            return _too_large(f"lines[{position}].quantity", said, f"at most {limits.pieces_per_line}")
    return None


def price_order(cart: Cart, products: Mapping[str, Product], limits: Limits) -> PricedOrder | Refusal:
    """The order's lines and total; or a refusal when a SKU is unknown, or the buyer was shown another total."""
    too_large = within_limits(cart, limits)
    if too_large is not None:
        return too_large
    for position, line in enumerate(cart.lines):
        if line.sku not in products:
            return Refusal(
                code=RefusalCode.UNKNOWN_SKU,
                detail=f"there is no product {line.sku}",
                remedy="take the line out, or name a SKU of the catalog",
                place=f"lines[{position}].sku",
            )
    lines = [_line(line, products[line.sku]) for line in cart.lines]
    parcels = len({tuple(key(line) for key in KEYS) for line in lines})
    if parcels > MOST_SUB_ORDERS:
        return _too_large("lines", f"the cart splits into {parcels} sub-orders", f"at most {MOST_SUB_ORDERS}")
    due = sum(line.pay_fen for line in lines)
    if due > limits.amount_fen:
        return _too_large("lines", f"the order comes to {due} fen", f"at most {limits.amount_fen}")
    if due != cart.expected_amount_fen:
        return Refusal(
            code=RefusalCode.PRICE_CHANGED,
            detail=f"the buyer was shown {cart.expected_amount_fen} fen, the order comes to {due} fen",
            remedy="show the buyer the new total and place the order again under a new key",
            place="expected_amount_fen",
        )
    return PricedOrder(lines=lines, goods_fen=sum(line.goods_fen for line in lines), amount_due_fen=due)


def _line(line: CartLine, product: Product) -> OrderLine:
    goods = product.price_fen * line.quantity
    return OrderLine(
        line_no=line.line_no,
        sku=line.sku,
        title=product.title,
        merchant=product.merchant,
        warehouse=product.warehouse,
        quantity=line.quantity,
        unit_price_fen=product.price_fen,
        goods_fen=goods,
        pay_fen=goods,
    )


def _too_large(place: str, said: str, limit: str) -> Refusal:
    return Refusal(code=RefusalCode.LIMIT_EXCEEDED, detail=said, remedy=limit, place=place)
