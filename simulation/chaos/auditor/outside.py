"""Compares what the outside parties have on record with what the database says."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from simulation.chaos.auditor.violation import Violation
from simulation.chaos.insist import insist

MONEY, TWICE = "money", "nothing twice"

CAPTURES = "SELECT capture_id, payment_id, amount_fen, currency, fate FROM captures"
REFUNDS = "SELECT refund_no, capture_id, amount_fen, currency, state FROM refunds"
PROVIDER = "SELECT currency, sum(amount_fen)::bigint AS fen FROM journal_legs WHERE account = 'provider' GROUP BY 1"
WORTH = """SELECT o.order_no, o.capture_id, CASE WHEN o.status = 'CLOSED' THEN 0
    ELSE coalesce(sum(s.pay_fen + s.shipping_fen) FILTER (WHERE s.status <> 'CLOSED'), 0) END::bigint AS fen
  FROM orders o LEFT JOIN sub_orders s USING (order_no) WHERE o.capture_id IS NOT NULL GROUP BY o.order_no"""
PARCELS = """SELECT s.sub_order_no, s.merchant, s.delivery_mode, s.handed_over_at, s.shipped_at,
    s.granted::text AS granted, jsonb_object_agg(l.sku, l.pieces)::text AS pieces
  FROM sub_orders s JOIN (
    SELECT p.order_no, p.idx, o.sku, sum(p.last_unit - p.first_unit + 1) AS pieces FROM sub_order_lines p
    JOIN order_lines o USING (order_no, line_no) GROUP BY p.order_no, p.idx, o.sku) l USING (order_no, idx)
  GROUP BY s.order_no, s.idx"""


@dataclass(frozen=True)
class Statement:
    """The payment provider's own account of captures and refunds, read over HTTP."""

    captures: Mapping[str, Mapping[str, Any]]
    refunds: Iterable[Mapping[str, Any]]
    moved_fen: Mapping[str, int] = field(default_factory=dict)  # by capture

    @classmethod
    async def read(cls, http: httpx.AsyncClient) -> "Statement":
        told = (await insist(http, "GET", "/statement")).raise_for_status().json()
        moved: Counter[str] = Counter()
        for refund in told["refunds"]:
            moved[refund["capture_id"]] += refund["moved_fen"]
        return cls({one["capture_id"]: one for one in told["captures"]}, told["refunds"], moved)


def at_any_moment(statement: Statement, captures: list[Any], refunds: list[Any]) -> list[Violation]:
    """What is wrong at any moment. The statement was read after the database, so the provider must know all that the
    database knew."""
    found = [
        Violation(MONEY, "more went back than came in", f"{capture}: {moved} fen")
        for capture, moved in statement.moved_fen.items()
        if moved > statement.captures[capture]["amount_fen"]
    ]
    for row in captures:
        theirs = statement.captures.get(row["capture_id"], {})
        names = ("payment_id", "amount_fen", "currency")
        if any(theirs.get(name) != row[name] for name in names):
            found.append(Violation(MONEY, "a capture is not what the provider says", f"{dict(row)}: {dict(theirs)}"))
    moved = {one["refund_no"]: (one["capture_id"], one["moved_fen"]) for one in statement.refunds}
    for row in refunds:
        ours = (row["capture_id"], row["amount_fen"])
        if row["state"] == "DONE" and moved.get(row["refund_no"]) != ours:
            evidence = f"{dict(row)}: {moved.get(row['refund_no'])}"
            found.append(Violation(MONEY, "a refund is done, and the provider did not make it", evidence))
    return found


def at_the_end(
    statement: Statement, captures: list[Any], refunds: list[Any], journal: list[Any], worth: list[Any]
) -> list[Violation]:
    """What is wrong when everything has ended: every capture must have one fate, every refund must have been asked for,
    and the provider must keep what live orders are worth."""
    known = {row["capture_id"]: row for row in captures}
    found = [
        Violation("nothing lost", "the provider took money that nobody knows of", str(dict(capture)))
        for capture_id, capture in statement.captures.items()
        if capture_id not in known
    ]
    asked = {row["refund_no"] for row in refunds}
    found += [
        Violation(TWICE, "the provider sent money back that nobody asked for", str(dict(refund)))
        for refund in statement.refunds
        if refund["refund_no"] not in asked and refund["moved_fen"]
    ]
    ours = {row["currency"]: row["fen"] for row in journal if row["fen"]}
    theirs = _kept_by_currency(statement)
    if ours != theirs:
        found.append(Violation(MONEY, "the journal and the provider differ", f"{ours}, the provider {theirs}"))
    of_orders = {row["capture_id"]: (row["order_no"], row["fen"]) for row in worth}
    for capture_id, capture in statement.captures.items():
        order_no, fen = of_orders.get(capture_id, (capture["payment_id"], 0))
        kept = capture["amount_fen"] - statement.moved_fen.get(capture_id, 0)
        if kept != fen:
            evidence = f"order {order_no} is worth {fen} fen, {kept} of {capture_id} are kept"
            found.append(Violation(MONEY, "what is kept of a payment is not what its order is worth", evidence))
    return found


def _kept_by_currency(statement: Statement) -> dict[str, int]:
    kept: Counter[str] = Counter()
    for capture_id, capture in statement.captures.items():
        kept[capture["currency"]] += capture["amount_fen"] - statement.moved_fen.get(capture_id, 0)
    return {currency: fen for currency, fen in kept.items() if fen}


async def handed_over(http: httpx.AsyncClient, merchants: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The parcels that the merchants' warehouses have taken, by sub-order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for merchant in merchants:
        answer = await insist(http, "GET", f"/merchants/{quote(merchant, safe='')}/hand-overs")
        for parcel in answer.raise_for_status().json():
            found[parcel["sub_order_no"]].append(parcel)
    return found


def parcels(at_merchants: Mapping[str, list[dict[str, Any]]], rows: list[Any]) -> list[Violation]:
    """What is wrong with the parcels: each must be at its merchant once, with its pieces, and no other may be there."""
    known = {row["sub_order_no"]: row for row in rows}
    found = []
    for number, there in at_merchants.items():
        row = known.get(number)
        if len(there) != 1 or row is None or row["merchant"] != there[0]["merchant"]:
            what = "a parcel was handed over twice, or to a wrong merchant, or is of no sub-order"
            found.append(Violation(TWICE, what, f"{number}: {len(there)} times"))
            continue
        pieces: Counter[str] = Counter()
        for line in there[0]["lines"]:
            pieces[line["sku"]] += line["quantity"]
        if dict(pieces) != json.loads(row["pieces"]):
            found.append(
                Violation(TWICE, "a parcel holds other pieces than its sub-order", f"{number}: {dict(pieces)}")
            )
    for number, row in known.items():
        if row["handed_over_at"] is not None and number not in at_merchants:
            found.append(
                Violation("nothing lost", "a parcel is noted as handed over, and its merchant has none", number)
            )
    return found


async def granted(http: httpx.AsyncClient, merchants: Iterable[str]) -> dict[str, list[str]]:
    """The codes of virtual goods that the merchants have granted, by sub-order."""
    found: dict[str, list[str]] = {}
    for merchant in merchants:
        answer = await insist(http, "GET", f"/merchants/{quote(merchant, safe='')}/grants")
        for number, given in answer.raise_for_status().json().items():
            found[number] = [code for line in given["lines"] for code in line["codes"]]
    return found


def codes(at_merchants: Mapping[str, list[str]], rows: list[Any]) -> list[Violation]:
    """What is wrong with the codes: the buyer must have one for each piece of virtual goods that went out, and none for
    others."""
    found = []
    for row in rows:
        if row["delivery_mode"] != "VIRTUAL":
            continue
        mine = json.loads(row["granted"] or "[]")
        bought = sum(json.loads(row["pieces"]).values()) if row["shipped_at"] is not None else 0
        if len(mine) != bought:
            evidence = f"{row['sub_order_no']}: {len(mine)} codes of {bought}"
            found.append(Violation(MONEY, "a buyer has not as many codes as were paid for", evidence))
        if Counter(mine) - Counter(at_merchants.get(row["sub_order_no"], [])):
            found.append(Violation(TWICE, "a buyer has a code that was not given for this", row["sub_order_no"]))
    return found
