"""What a cart costs as an order, or why it is refused."""

from collections.abc import Mapping
from datetime import datetime

from domain.base import Message
from domain.order.cart import Cart, Recording, SplitTiming, Terms
from domain.order.lines import GiftOf, LineShare, OrderLine, PricedOrder, Refusal, RefusalCode
from domain.order.product import OnSale
from domain.order.snapshot import TradeSnapshot, digest
from domain.pricing.levels import Circumstances, Wanted, price
from domain.pricing.market import Market, unusable
from domain.pricing.priced import GivenGift, PricedCart, PricedLine
from domain.pricing.promotion import Funder
from domain.splitting.model import MAX_SUB_ORDERS
from domain.splitting.packing import TooManyParcels
from domain.splitting.plan import cut, plan, shipping


class Limits(Message):
    """How large an order may be, as the platform sets it."""

    lines: int = 200
    pieces_per_line: int = 999
    amount_fen: int = 100_000_000
    coupons: int = 20


def within_limits(cart: Cart, limits: Limits) -> Refusal | None:
    """The refusal of a cart that is too large, naming the place and the limit; None when it keeps every limit."""
    if len(cart.lines) > limits.lines:
        return _too_large("lines", f"the cart has {len(cart.lines)} lines", f"at most {limits.lines}")
    if len(cart.coupons) > limits.coupons:
        return _too_large("coupons", f"the cart names {len(cart.coupons)} coupons", f"at most {limits.coupons}")
    for position, line in enumerate(cart.lines):
        if line.quantity > limits.pieces_per_line:
            said = f"{line.quantity} pieces of {line.sku}"
            return _too_large(f"lines[{position}].quantity", said, f"at most {limits.pieces_per_line}")
    return None


def price_order(
    order_no: str, cart: Cart, market: Market, terms: Terms, limits: Limits, at: datetime
) -> PricedOrder | Refusal:
    """The order's lines, shipping and total; or a refusal when a SKU is unknown, a coupon can't be used, or the buyer
    was shown another total."""
    refused = within_limits(cart, limits) or _unknown(cart, market) or _unusable(order_no, cart, market, at)
    if refused is not None:
        return refused
    priced = _price(cart, market, terms, at)
    lines = sold_lines(priced, market.on_sale, terms)
    try:
        parts = cut(lines, market.warehouses, terms)
    except TooManyParcels:
        return _too_large("lines", f"the cart splits into more than {MAX_SUB_ORDERS} sub-orders", "order less at once")
    freight = shipping(parts, market.freight)
    at_once = terms.split_timing is SplitTiming.AT_PLACEMENT
    order = PricedOrder(
        lines=lines,
        goods_fen=priced.goods_fen,
        shipping_fen=freight,
        amount_due_fen=priced.pay_fen + freight,
        coupons=_taken(cart, market, priced),
        rules=_rules(market, priced),
        plan=plan(order_no, lines, parts, freight) if at_once else None,
    )
    return _not_as_shown(order, cart, limits) or order


def sold_lines(priced: PricedCart, on_sale: Mapping[str, OnSale], terms: Terms) -> list[OrderLine]:
    """The lines that an order holds of a priced cart: what was asked for, then the gifts."""
    return [
        *(_line(line, on_sale[line.product.sku], terms) for line in priced.lines),
        *(_gift(gift, on_sale[gift.product.sku], terms) for gift in priced.gifts),
    ]


def _unknown(cart: Cart, market: Market) -> Refusal | None:
    for position, line in enumerate(cart.lines):
        if line.sku not in market.on_sale:
            return Refusal(
                code=RefusalCode.UNKNOWN_SKU,
                detail=f"there is no product {line.sku}",
                remedy="take the line out, or name a SKU of the catalog",
                place=f"lines[{position}].sku",
            )
    return None


def _unusable(order_no: str, cart: Cart, market: Market, at: datetime) -> Refusal | None:
    owned = {coupon.coupon_id: coupon for coupon in market.offers.coupons}
    seen: dict[str, int] = {}
    for position, coupon_id in enumerate(cart.coupons):
        coupon = owned.get(coupon_id)
        why = unusable(coupon, cart.buyer_id, order_no, at)
        if coupon is not None and not why and coupon.promotion_id in seen:
            why = f"is of the same promotion as coupons[{seen[coupon.promotion_id]}]; an order takes one of each"
        if why:
            return Refusal(
                code=RefusalCode.COUPON_GONE,
                detail=f"the coupon {coupon_id} {why}",
                remedy="leave it out and show the buyer the new total",
                place=f"coupons[{position}]",
            )
        assert coupon is not None
        seen[coupon.promotion_id] = position
    return None


def _price(cart: Cart, market: Market, terms: Terms, at: datetime) -> PricedCart:
    products = {sku: on_sale.product for sku, on_sale in market.on_sale.items()}
    named = frozenset(c.promotion_id for c in market.offers.coupons if c.coupon_id in cart.coupons)
    now = Circumstances(terms.pricing_mode, at, market.offers.tier, named)
    wanted = [Wanted(line.line_no, line.quantity, products[line.sku]) for line in cart.lines]
    return price(wanted, market.offers.promotions, now, products)


def _line(line: PricedLine, on_sale: OnSale, terms: Terms) -> OrderLine:
    return _sold(line.line_no, line.quantity, on_sale, terms).model_copy(
        update={
            "goods_fen": line.goods_fen,
            "pay_fen": line.pay_fen,
            "shares": [
                LineShare(
                    promotion_id=share.promotion_id,
                    amount_fen=share.amount_fen,
                    merchant_fen=share.funding[Funder.MERCHANT],
                    platform_fen=share.funding[Funder.PLATFORM],
                )
                for share in line.shares
            ],
        }
    )


def _gift(gift: GivenGift, on_sale: OnSale, terms: Terms) -> OrderLine:
    given = GiftOf(promotion_id=gift.promotion_id, given_for=list(gift.given_for), returnable=gift.returnable)
    return _sold(gift.line_no, gift.quantity, on_sale, terms).model_copy(update={"gift": given})


def _sold(line_no: int, quantity: int, on_sale: OnSale, terms: Terms) -> OrderLine:
    """The line as it is sold, before its amounts are filled in."""
    product = on_sale.product
    copy = TradeSnapshot.of(product) if terms.recording is Recording.EMBEDDED else None
    return OrderLine(
        line_no=line_no,
        sku=product.sku,
        version=on_sale.version,
        digest=copy.digest if copy else on_sale.digest,
        title=product.title or product.sku,
        merchant=product.merchant,
        warehouse=on_sale.home,
        quantity=quantity,
        unit_price_fen=product.price_fen,
        goods_fen=0,
        pay_fen=0,
        delivery_mode=product.delivery_mode,
        ships_from=product.ships_from,
        handling=product.handling,
        weight_g=product.weight_g,
        volume_cm3=product.volume_cm3,
        policy=on_sale.policy,
        snapshot=copy,
    )


def _applied(priced: PricedCart) -> set[str]:
    shares = {share.promotion_id for line in priced.lines for share in line.shares}
    return shares | {gift.promotion_id for gift in priced.gifts}


def _taken(cart: Cart, market: Market, priced: PricedCart) -> list[str]:
    """The coupons that the order takes; one that saves nothing here stays with its owner."""
    applied = _applied(priced)
    named = (coupon for coupon in market.offers.coupons if coupon.coupon_id in cart.coupons)
    return sorted(coupon.coupon_id for coupon in named if coupon.promotion_id in applied)


def _rules(market: Market, priced: PricedCart) -> dict[str, str]:
    applied = _applied(priced)
    return {p.promotion_id: digest(p) for p in market.offers.promotions if p.promotion_id in applied}


def _not_as_shown(order: PricedOrder, cart: Cart, limits: Limits) -> Refusal | None:
    due = order.amount_due_fen
    if due > limits.amount_fen:
        return _too_large("lines", f"the order comes to {due} fen", f"at most {limits.amount_fen}")
    if due == cart.expected_amount_fen:
        return None
    return Refusal(
        code=RefusalCode.PRICE_CHANGED,
        detail=f"the buyer was shown {cart.expected_amount_fen} fen, the order comes to {due} fen",
        remedy="show the buyer the new total and place the order again under a new key",
        place="expected_amount_fen",
    )


def _too_large(place: str, said: str, limit: str) -> Refusal:
    return Refusal(code=RefusalCode.LIMIT_EXCEEDED, detail=said, remedy=limit, place=place)
