"""Freight (运费): each merchant has a template (运费模板) for each of its warehouses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from domain.base import Document
from domain.order.product import Amount, Name

Grams = Annotated[int, Field(ge=1, le=10**9)]


class FreightRates(Document):
    """A fee for the first weight (首重), a fee for each further weight that is begun (续重), and the amount of goods
    from which shipping is free (包邮).

    Rates without a warehouse are for every warehouse of the merchant that has no rates of its own."""

    warehouse: Name | None = None
    first_g: Grams
    first_fee_fen: Amount
    further_g: Grams
    further_fee_fen: Amount
    free_from_fen: Amount | None = None

    def fee_fen(self, weight_g: int, goods_fen: int) -> int:
        """The fee for goods of this weight, for which this much is paid."""
        if self.free_from_fen is not None and goods_fen >= self.free_from_fen:
            return 0
        further = -(-max(0, weight_g - self.first_g) // self.further_g)
        return self.first_fee_fen + further * self.further_fee_fen


class FreightTemplate(FreightRates):
    """One merchant's freight rates."""

    merchant: Name


@dataclass(frozen=True, slots=True)
class Consignment:
    """What one warehouse of a merchant sends for one order. `warehouse` is None for virtual goods, which cost no
    freight."""

    merchant: str
    warehouse: str | None
    weight_g: int
    goods_fen: int


def freight_fen(consignments: Iterable[Consignment], templates: Iterable[FreightTemplate]) -> int:
    """The shipping of an order: one fee for each merchant's warehouse, however many parcels leave it.

    Goods that are cut into several parcels never cost the buyer a second first weight. A merchant with no template
    ships free."""
    by_place = {(template.merchant, template.warehouse): template for template in templates}
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for sent in consignments:
        if sent.warehouse is not None:
            weight, goods = totals.get((sent.merchant, sent.warehouse), (0, 0))
            totals[sent.merchant, sent.warehouse] = (weight + sent.weight_g, goods + sent.goods_fen)
    return sum(_fee(by_place, place, weight, goods) for place, (weight, goods) in totals.items())


def _fee(
    templates: Mapping[tuple[str, str | None], FreightTemplate],
    place: tuple[str, str],
    weight: int,
    goods: int,
) -> int:
    template = templates.get(place) or templates.get((place[0], None))
    return 0 if template is None else template.fee_fen(weight, goods)
