"""Small documents to quote, and the one way in which the tests quote them: as JSON, like everybody else."""

import json
from typing import Any

from domain.quote.answer import QuoteAnswer, quote, read_quote_document

Doc = dict[str, Any]


def product(sku: str, price_fen: int, merchant: str = "m1", **more: Any) -> Doc:
    return {"sku": sku, "merchant": merchant, "price_fen": price_fen, **more}


def line(line_no: int, sku: str, quantity: int = 1, **more: Any) -> Doc:
    return {"line_no": line_no, "sku": sku, "quantity": quantity, **more}


def promotion(promotion_id: str, level: str, kind: str, **more: Any) -> Doc:
    return {"promotion_id": promotion_id, "level": level, "kind": kind, **more}


def off(promotion_id: str, level: str, threshold_fen: int, off_fen: int, **more: Any) -> Doc:
    return promotion(promotion_id, level, "AMOUNT_OFF", threshold_fen=threshold_fen, off_fen=off_fen, **more)


def document(prices: list[int], promotions: list[Doc], quantities: list[int] | None = None, **more: Any) -> Doc:
    """One line for each price, numbered from 1, with SKUs A, B, C…"""
    skus = [chr(ord("A") + i) for i in range(len(prices))]
    counts = quantities or [1] * len(prices)
    return {
        "lines": [line(i, sku, count) for i, (sku, count) in enumerate(zip(skus, counts, strict=True), 1)],
        "catalog": [product(sku, price) for sku, price in zip(skus, prices, strict=True)],
        "promotions": promotions,
        **more,
    }


def ask(doc: Doc) -> QuoteAnswer:
    return quote(read_quote_document(json.dumps(doc)))


def shares(answer: QuoteAnswer, promotion_id: str) -> list[int]:
    """What a promotion takes off each line."""
    return [
        sum(share.amount_fen for share in line.discounts if share.promotion_id == promotion_id) for line in answer.lines
    ]


def reasons(answer: QuoteAnswer) -> dict[str, str]:
    return {entry.promotion_id: str(entry.reason) for entry in answer.not_applied}
