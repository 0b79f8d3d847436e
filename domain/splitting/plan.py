"""How an order's lines become its sub-orders: the rules of splitting, applied to the lines as they were sold."""

from collections import Counter
from collections.abc import Sequence

from domain.apportion import slice_worth
from domain.order.cart import Terms
from domain.order.lines import OrderLine, SubOrderLine, SubOrderPlan
from domain.order.order_number import sub_order_no
from domain.order.product import DeliveryMode, Product
from domain.splitting.cut import share_shipping, shipping_shares, split
from domain.splitting.freight import Consignment, FreightTemplate, freight_fen
from domain.splitting.model import BACKORDER, OrderedLine, Places, PlannedSubOrder, Warehouse
from domain.splitting.packing import ParcelLimit


def cut(lines: Sequence[OrderLine], warehouses: Sequence[Warehouse], terms: Terms) -> list[PlannedSubOrder]:
    """The parcels of an order, before the shipping is shared. Raises TooManyParcels."""
    return split([_ordered(line) for line in lines], places(warehouses, terms))


def places(warehouses: Sequence[Warehouse], terms: Terms) -> Places:
    """What a split depends on besides the lines, from the order's terms; there a limit of 0 means no limit."""
    limit = ParcelLimit(
        weight_g=terms.parcel_weight_g or None,
        volume_cm3=terms.parcel_volume_cm3 or None,
        value_fen=terms.parcel_value_fen or None,
    )
    return Places(warehouses, limit, [group.split("+") for group in terms.handling_groups.split()])


def shipping(parts: Sequence[PlannedSubOrder], templates: Sequence[FreightTemplate]) -> int:
    """The freight of an order in fen, by the merchants' templates."""
    return freight_fen(
        (
            Consignment(part.keys["merchant"], part.keys["warehouse"], _weight(part), part.pay_fen)
            for part in parts
            if part.is_physical
        ),
        templates,
    )


def plan(
    order_no: str, lines: Sequence[OrderLine], parts: Sequence[PlannedSubOrder], shipping_fen: int
) -> list[SubOrderPlan]:
    """The numbered sub-orders with their shares of the shipping. Lines and amounts add up to the order."""
    sold = {line.line_no: line for line in lines}
    shared = share_shipping(parts, shipping_fen)
    return [_plan(order_no, index, part, sold) for index, part in enumerate(shared, start=1)]


def replan(
    planned: Sequence[SubOrderPlan], lines: Sequence[OrderLine], warehouses: Sequence[Warehouse], shipping_fen: int
) -> list[SubOrderPlan]:
    """The plan that was made at placement, as it can be carried out now: without the lines that were closed since, and
    with what has run out as back-orders. The numbers stay as the buyer was told."""
    left = {(site.merchant, site.warehouse): dict(site.stock) for site in warehouses}
    live = {line.line_no for line in lines}
    carried = []
    for part in planned:
        kept = [line for line in part.lines if line.line_no in live]
        if kept:
            shelf = left.get((part.merchant, part.warehouse or ""))
            carried.append(_on_the_shelf(part.model_copy(update={"lines": kept}), shelf))
    shares = shipping_shares(
        shipping_fen, [(part.pay_fen, part.delivery_mode is DeliveryMode.PHYSICAL) for part in carried]
    )
    return [part.model_copy(update={"shipping_fen": s}) for part, s in zip(carried, shares, strict=True)]


def check_units(plans: Sequence[SubOrderPlan]) -> None:
    """Raises ValueError when a unit of a line is in two sub-orders, or one before the last is in none."""
    ranges = sorted(
        (line.line_no, line.first_unit, line.last_unit, plan.index) for plan in plans for line in plan.lines
    )
    upto = {line_no: (0, 0) for line_no, *_ in ranges}  # the last unit so far, and the sub-order it is in
    for line_no, first, last, index in ranges:
        before, whose = upto[line_no]
        if first <= before:
            raise ValueError(
                f"unit {first} of line {line_no} is in the sub-orders {whose} and {index}: it can ship in one only"
            )
        if first > before + 1:
            raise ValueError(f"unit {before + 1} of line {line_no} is in no sub-order: put it into one")
        upto[line_no] = (last, index)


def _on_the_shelf(part: SubOrderPlan, shelf: dict[str, int] | None) -> SubOrderPlan:
    if shelf is None:
        return part
    wanted: Counter[str] = Counter()
    for line in part.lines:
        wanted[line.sku] += line.quantity
    flags = [flag for flag in part.flags if flag != BACKORDER]
    if any(shelf.get(sku, 0) < pieces for sku, pieces in wanted.items()):
        return part.model_copy(update={"flags": [*flags, BACKORDER]})
    for sku, pieces in wanted.items():
        shelf[sku] -= pieces
    return part.model_copy(update={"flags": flags})


def _plan(order_no: str, index: int, part: PlannedSubOrder, sold: dict[int, OrderLine]) -> SubOrderPlan:
    return SubOrderPlan(
        sub_order_no=sub_order_no(order_no, index),
        index=index,
        merchant=part.keys["merchant"],
        delivery_mode=part.keys["delivery_mode"],
        ships_from=part.keys["ships_from"],
        handling=part.keys["handling"],
        warehouse=part.keys["warehouse"],
        lines=[_line(sold[line.line.line_no], line.first, line.last) for line in part.lines],
        shipping_fen=part.shipping_fen,
        flags=list(part.flags),
    )


def _line(sold: OrderLine, first: int, last: int) -> SubOrderLine:
    return SubOrderLine(
        line_no=sold.line_no,
        sku=sold.sku,
        title=sold.title,
        first_unit=first,
        last_unit=last,
        goods_fen=slice_worth(sold.goods_fen, sold.quantity, first, last),
        pay_fen=slice_worth(sold.pay_fen, sold.quantity, first, last),
    )


def _ordered(line: OrderLine) -> OrderedLine:
    product = Product(
        sku=line.sku,
        merchant=line.merchant,
        price_fen=line.unit_price_fen,
        delivery_mode=line.delivery_mode,
        ships_from=line.ships_from,
        handling=line.handling,
        weight_g=line.weight_g,
        volume_cm3=line.volume_cm3,
    )
    return OrderedLine(line.line_no, line.quantity, line.pay_fen, product, line.warehouse)


def _weight(part: PlannedSubOrder) -> int:
    return sum(line.line.product.weight_g * line.quantity for line in part.lines)
