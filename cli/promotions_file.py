"""A file of promotions, as merchandisers write them."""

import codecs
from typing import Annotated, Self

from pydantic import Field, model_validator

from domain.base import Document
from domain.pricing.promotion import Promotion, wrong
from domain.strict_json import read_whole_document

MAX_PROMOTIONS = 1_000


class PromotionsFile(Document):
    """A list of promotions, each with the keys of its kind, as in a quote document."""

    promotions: Annotated[list[Promotion], Field(min_length=1, max_length=MAX_PROMOTIONS)]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        seen: dict[str, int] = {}
        for position, promotion in enumerate(self.promotions):
            name = promotion.promotion_id
            if name in seen:
                problem = f"{name!r} is at promotions[{seen[name]}] already; keep one or rename it"
                raise wrong(f"promotions[{position}].promotion_id", problem)
            seen[name] = position
        return self


def read_promotions(raw: bytes) -> list[Promotion]:
    """The promotions of a file. Raises BadDocument."""
    return read_whole_document(PromotionsFile, raw.removeprefix(codecs.BOM_UTF8), lambda _: ()).promotions
