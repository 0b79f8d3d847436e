"""Compares what the parties were told with what is on record: no acknowledged act is lost, and no refused one done."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from simulation.chaos.auditor.seen import PLACED, REFUSED, Acknowledged, Checkout, Seen
from simulation.chaos.auditor.violation import Violation

LOST, TWICE, STOCK = "nothing lost", "nothing twice", "stock"

ORDERS = """SELECT order_no::text AS number, buyer_id, status, close_reason, amount_due_fen FROM orders"""
LINES = """SELECT order_no::text AS number, sku, sum(quantity)::int AS pieces FROM order_lines
  WHERE gift IS NULL GROUP BY 1, 2"""
PARTS = """SELECT sub_order_no AS number, order_no::text AS order_no, status, carrier, tracking_no, delivered_at
  FROM sub_orders"""
KEYS = "SELECT idempotency_key AS key, order_no::text AS number FROM checkout_keys"
# Only what is split counts: before, the pieces of an order that is closing may already have been sold to another.
SOLD = """SELECT l.sku, sum(p.last_unit - p.first_unit + 1)::bigint AS pieces FROM sub_order_lines p
  JOIN sub_orders s USING (order_no, idx) JOIN order_lines l USING (order_no, line_no)
  WHERE s.status <> 'CLOSED' GROUP BY l.sku"""

_ON_ITS_WAY = {"SHIPPED", "COMPLETED", "REVIEWED"}
_RECEIVED = {"COMPLETED", "REVIEWED"}


def lost_placements(seen: Mapping[str, Checkout], orders: list[Any]) -> list[Violation]:
    """The orders that were acknowledged before the look and are not there, at any moment."""
    there = {row["number"] for row in orders}
    return [
        Violation(LOST, "an acknowledged order is not there", f"{number}, key {one.key}")
        for number, one in seen.items()
        if number not in there
    ]


def checkouts(seen: Seen, keys: list[Any], orders: list[Any], lines: list[Any]) -> list[Violation]:
    """What is wrong with the checkouts: each key must have one order, with the lines and the amount that its caller was
    told."""
    numbers = {row["key"]: row["number"] for row in keys}
    rows = {row["number"]: row for row in orders}
    sold: dict[str, dict[str, int]] = {}
    for row in lines:
        sold.setdefault(row["number"], {})[row["sku"]] = row["pieces"]
    found = []
    for one in seen.checkouts:
        number = numbers.get(one.key)
        if len(one.order_nos) > 1 or (one.order_nos and one.order_nos != {number}):
            found.append(Violation(TWICE, "one key was told two orders", f"{one.key}: {one.order_nos}, kept {number}"))
        wrong = _differs(one, rows.get(number or ""), sold.get(number or "", {}))
        if wrong:
            found.append(Violation(LOST, wrong, f"{number}, {one}"))
    extra = rows.keys() - {number for key, number in numbers.items() if key in {one.key for one in seen.checkouts}}
    found += [Violation(TWICE, "there is an order that nobody placed", number) for number in extra]
    return found


def _differs(one: Checkout, order: Any, pieces: dict[str, int]) -> str:
    if one.outcome == REFUSED and order is not None:
        return "an order that was refused is there"
    if order is None:
        return "an acknowledged order is not there" if one.outcome == PLACED else ""
    if one.amounts_fen - {order["amount_due_fen"]} or order["buyer_id"] != one.buyer_id:
        return "an order is not what its buyer was told"
    return "" if pieces == one.lines else "an order's lines are not what was asked for"


def acts(seen: Seen, orders: list[Any], parts: list[Any]) -> list[Violation]:
    """The acknowledged acts whose effect is not on record."""
    rows = {row["number"]: row for row in [*orders, *parts]}
    shipments: dict[str, set[tuple[str, str]]] = {}
    for act in seen.acts:
        if act.act == "ship":
            shipments.setdefault(act.number, set()).add((act.told["carrier"], act.told["tracking_no"]))
    found = [
        Violation(LOST, f"an acknowledged act was lost: {act.act}", f"{act}: {dict(rows.get(act.number) or {})}")
        for act in seen.acts
        if not _took_effect(act, rows.get(act.number))
    ]
    found += [
        Violation(TWICE, "one parcel was shipped twice, and both were acknowledged", f"{number}: {told}")
        for number, told in shipments.items()
        if len(told) > 1
    ]
    for number, told in shipments.items():
        row = rows.get(number)
        if row is not None and (row.get("carrier"), row.get("tracking_no")) not in told:
            found.append(Violation(LOST, "a parcel has another tracking number than was told", f"{number}: {told}"))
    return found


def _took_effect(act: Acknowledged, row: Any) -> bool:
    if row is None:
        return False
    status = row["status"]
    match act.act:
        case "cancel" | "reject":
            return bool(status == "CLOSED")
        case "approve":
            return bool(row["close_reason"] != "RISK_REJECTED")
        case "ship":
            return status in _ON_ITS_WAY
        case "deliver":
            return status in _ON_ITS_WAY and row["delivered_at"] is not None
        case "confirm":
            return status in _RECEIVED
        case "review":
            return bool(status == "REVIEWED")
    raise AssertionError(f"the auditor does not know what {act.act} should lead to")


def captures(seen: Seen, rows: list[Any]) -> list[Violation]:
    """The captures that a buyer saw and that are not on record."""
    there = {row["capture_id"] for row in rows}
    return [
        Violation(LOST, "a payment that the buyer saw is not there", f"{capture}: {what}")
        for capture, what in seen.captures.items()
        if capture not in there
    ]


def oversold(seen: Seen, rows: list[Any]) -> list[Violation]:
    """The SKUs of which more pieces are sold than were ever put on sale."""
    sold: Counter[str] = Counter({row["sku"]: row["pieces"] for row in rows})
    return [
        Violation(STOCK, "more was sold than there was", f"{sku}: {sold[sku]} of {pieces}")
        for sku, pieces in seen.sellable.items()
        if sold[sku] > pieces
    ]
