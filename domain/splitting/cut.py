"""Cutting an order into sub-orders (拆单), so that each has one value of each of the six keys.

`RULES` lists the keys in their order. A platform may reorder it or add a rule of its own, here or by passing another
list to `split`; nothing else knows the keys. A rule for a plain key is `cut_by("name", key)`; a rule that cuts by
amounts (warehouses, parcels) is a function from a part to the parts that it becomes.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from domain.apportion import apportion
from domain.order.product import DeliveryMode, Product
from domain.splitting.model import (
    BACKORDER,
    MAX_SUB_ORDERS,
    OVERSIZE,
    OrderedLine,
    Pieces,
    Places,
    PlannedLine,
    PlannedSubOrder,
    SplitPart,
    Warehouse,
)
from domain.splitting.packing import TooManyParcels, pack
from domain.splitting.stock_groups import Demand
from domain.splitting.warehouses import Load, plan_warehouses

Rule = Callable[[SplitPart, Places], list[SplitPart]]


def cut_by(name: str, key: Callable[[Product, Places], Hashable]) -> Rule:
    """The rule that cuts by a key of the product."""

    def rule(part: SplitPart, places: Places) -> list[SplitPart]:
        found = _apart(part, lambda product: key(product, places))
        return [part.cut(pieces, **{name: value}) for value, pieces in found.items()]

    return rule


K = TypeVar("K", bound=Hashable)


def _apart(part: SplitPart, key: Callable[[Product], K]) -> dict[K, list[Pieces]]:
    found: dict[K, list[Pieces]] = {}
    for line, count in part.pieces:
        found.setdefault(key(line.product), []).append((line, count))
    return found


def handling_group(product: Product, places: Places) -> str:
    """The handling group of a product: its class's own name, or the names of the classes that share a parcel, joined
    by +."""
    return next(("+".join(group) for group in places.handling_groups if product.handling in group), product.handling)


def by_warehouse(part: SplitPart, places: Places) -> list[SplitPart]:
    """Cut by warehouse: the fewest warehouses, then the fewest pieces moved; back-orders are parts of their own.
    Virtual goods have no warehouse."""
    parts = []
    for merchant, pieces in _apart(part, _sender).items():
        sites = [site for site in places.warehouses if site.merchant == merchant]
        if merchant is None or not sites:
            parts.append(part.cut(pieces, warehouse=merchant))
        else:
            parts += _from_sites(part.cut(pieces), sites, places)
    return parts


def _sender(product: Product) -> str | None:
    return product.merchant if product.delivery_mode is DeliveryMode.PHYSICAL else None


def _from_sites(part: SplitPart, sites: Sequence[Warehouse], places: Places) -> list[SplitPart]:
    names = [site.warehouse for site in sites]
    wanted = [names.index(w) if (w := line.preferred_warehouse) in names else None for line, _ in part.pieces]
    demands = [Demand(line.product.sku, n, w) for (line, n), w in zip(part.pieces, wanted, strict=True)]

    def parcels(load: Load) -> int:
        return len(by_parcel(part.cut((part.pieces[i][0], count) for i, count in load), places))

    plan = plan_warehouses(demands, [site.stock for site in sites], parcels)
    lines = [line for line, _ in part.pieces]
    parts = []
    for site, name in enumerate(names):
        sent = [(line, placed[site]) for line, placed in zip(lines, plan.sent, strict=True) if site in placed]
        late = [
            (line, missing)
            for line, missing, home in zip(lines, plan.missing, wanted, strict=True)
            if missing and (home or 0) == site
        ]
        parts += [part.cut(sent, warehouse=name)] if sent else []
        parts += [part.cut(late, BACKORDER, warehouse=name)] if late else []
    return parts


def by_parcel(part: SplitPart, places: Places) -> list[SplitPart]:
    """Cut into as few parcels as the carrier's limits allow; a piece over the limit is alone. Virtual goods need no
    parcel."""
    limit = places.parcel_limit
    parts = []
    for sender, pieces in _apart(part, _sender).items():
        if sender is None or not limit.caps:
            parts.append(part.cut(pieces))
            continue
        for parcel in pack([(limit.sizes(line.product), count) for line, count in pieces], limit.caps):
            inside = [(pieces[i][0], count) for i, count in sorted(parcel.pieces.items())]
            parts.append(part.cut(inside, *([OVERSIZE] if parcel.oversize else [])))
    return parts


RULES: tuple[Rule, ...] = (
    cut_by("merchant", lambda product, _: product.merchant),  # 商家
    cut_by("delivery_mode", lambda product, _: product.delivery_mode),  # 实物, 虚拟
    cut_by("ships_from", lambda product, _: product.ships_from),  # 现货, 预售
    cut_by("handling", handling_group),  # 特殊品类
    by_warehouse,  # 仓库
    by_parcel,  # 包裹限制
)


def split(
    lines: Iterable[OrderedLine], places: Places, shipping_fen: int = 0, rules: Sequence[Rule] = RULES
) -> list[PlannedSubOrder]:
    """The sub-orders of an order: their lines, quantities, amounts and shipping add up to the order exactly.

    Raises TooManyParcels when there would be more than MAX_SUB_ORDERS."""
    ordered = sorted(lines, key=lambda line: line.line_no)
    parts = [SplitPart(tuple((line, line.quantity) for line in ordered))]
    for rule in rules:
        parts = [smaller for part in parts for smaller in rule(part, places)]
        if len(parts) > MAX_SUB_ORDERS:
            raise TooManyParcels
    return share_shipping(_number_units(parts), shipping_fen)


def _number_units(parts: Iterable[SplitPart]) -> list[PlannedSubOrder]:
    taken: dict[int, int] = {}
    sub_orders = []
    for part in parts:
        lines = []
        for line, count in part.pieces:
            first = taken.get(line.line_no, 0) + 1
            taken[line.line_no] = first + count - 1
            lines.append(PlannedLine(line, first, first + count - 1))
        flags = [flag for flag in (OVERSIZE, BACKORDER) if flag in part.flags]
        sub_orders.append(PlannedSubOrder(lines, part.keys, flags + sorted(part.flags.difference(flags))))
    return sub_orders


def share_shipping(sub_orders: Sequence[PlannedSubOrder], shipping_fen: int) -> list[PlannedSubOrder]:
    """Share the shipping among the physical sub-orders, in proportion to what was paid for them."""
    shares = shipping_shares(shipping_fen, [(part.pay_fen, part.is_physical) for part in sub_orders])
    return [replace(sub_order, shipping_fen=share) for sub_order, share in zip(sub_orders, shares, strict=True)]


def shipping_shares(shipping_fen: int, parts: Sequence[tuple[int, bool]]) -> list[int]:
    """The share of the shipping that each part bears; a part is what was paid for it and whether it is physical.

    Shipping never gets lost: where nothing was paid, the physical parts bear equal shares; where nothing is physical,
    all parts take the place of the physical ones."""
    bearers = [physical for _, physical in parts]
    bearers = bearers if any(bearers) else [True] * len(parts)
    weights = [pay_fen if bears else 0 for (pay_fen, _), bears in zip(parts, bearers, strict=True)]
    weights = weights if any(weights) else [int(bears) for bears in bearers]
    return apportion(shipping_fen, weights, [shipping_fen] * len(weights))
