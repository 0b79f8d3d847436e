"""An order as text for people: the head, what was shipped of it and what was not, and what happened."""

from collections.abc import Sequence
from datetime import datetime

import typer

from cli.base import plain, say_fields, yuan
from cli.tables import Column, print_table
from domain.order.status import Status
from domain.records.views import AttentionView, EventView, LineView, OrderView, RefundView, SubOrderView

_COLOURS = {
    Status.PENDING_PAYMENT: "yellow",
    Status.EXCEPTION: "red",
    Status.CLOSED: "bright_black",
    Status.COMPLETED: "green",
    Status.REVIEWED: "green",
}


def show_order(view: OrderView, run: str) -> None:
    """Print an order in full; `run` is the link to its run."""
    _head(view, run)
    _attention(view.attention)
    _lines(view.lines)
    if view.sub_orders:
        _sub_orders(view.sub_orders)
    _refunds(view.refunds)
    events_table(view.events)


def show_sub_order(
    view: OrderView, sub: SubOrderView, attention: Sequence[AttentionView], events: Sequence[EventView], run: str
) -> None:
    """Print one sub-order in full; `run` is the link to its run."""
    fields = {
        "sub-order": sub.sub_order_no,
        "status": _status(sub.status, sub.close_reason),
        "of order": f"{view.order_no} ({view.status})",
        "buyer": str(view.buyer_id),
        "merchant": f"{plain(sub.merchant)}, {_place(sub)}",
        "paid": f"{yuan(sub.pay_fen, view.currency)} (list price {yuan(sub.goods_fen, view.currency)})",
    }
    fields |= _parcel(sub)
    if sub.after_sale != "NONE":
        fields["after-sale"] = f"{sub.after_sale.lower()}: {', '.join(sub.cases)}"
    say_fields(fields | {"run": run})
    _attention(attention)
    _lines(sub.lines)
    if sub.tracking:
        rows = [[_time(scan.at), scan.kind, scan.place] for scan in sub.tracking]
        print_table([Column("at (UTC)", fixed=True), Column("scan", fixed=True), Column("place")], rows, "Tracking")
    events_table([one.model_copy(update={"subject": ""}) for one in events])  # all are about this sub-order


def events_table(events: Sequence[EventView]) -> None:
    """Print who did what when."""
    if not events:
        return
    columns = [Column("at (UTC)", fixed=True), Column("who"), Column("did"), Column("to"), Column("detail")]
    rows = [[_time(one.at), one.actor, one.action, one.subject, one.detail] for one in events]
    print_table(columns, rows, "What happened")


def _place(sub: SubOrderView) -> str:
    """Where a sub-order comes from, and what it waits for."""
    place = f"warehouse {plain(sub.warehouse)}" if sub.warehouse else "virtual goods"
    waits = [f"ships from {sub.ships_from}"] if sub.ships_from else []
    return ", ".join([place, *waits, *(flag.lower() for flag in sub.flags)])


def _head(view: OrderView, run: str) -> None:
    fields = {
        "order": view.order_no,
        "status": _status(view.status, view.close_reason),
        "buyer": str(view.buyer_id),
        "placed": _at(view.placed_at),
        "due": _due(view),
    }
    if view.paid_at:
        fields["paid"] = _at(view.paid_at)
    elif view.status is Status.PENDING_PAYMENT and view.pay_by:
        fields["pay by"] = f"{_at(view.pay_by)}  {view.payment_link or ''}"
    if view.risk_verdict:
        fields["risk"] = view.risk_verdict
    say_fields(fields | {"run": run})


def _due(view: OrderView) -> str:
    """What the order comes to, and how that is made up."""
    parts = [f"list price {yuan(view.goods_fen, view.currency)}"]
    off_fen = view.goods_fen + view.shipping_fen - view.amount_due_fen
    if off_fen:
        parts.append(f"discounts −{yuan(off_fen, view.currency)}")
    if view.shipping_fen:
        parts.append(f"shipping {yuan(view.shipping_fen, view.currency)}")
    return f"{yuan(view.amount_due_fen, view.currency)} ({', '.join(parts)})"


def _status(status: Status, close_reason: str | None) -> str:
    told = status if close_reason is None else f"{status} ({close_reason})"
    return typer.style(told, fg=_COLOURS.get(status, "cyan"), bold=True)


def _parcel(sub: SubOrderView) -> dict[str, str]:
    times = {"shipped": sub.shipped_at, "delivered": sub.delivered_at, "received": sub.received_at}
    fields = {name: _at(moment) for name, moment in times.items() if moment}
    if sub.carrier and sub.tracking_no and "shipped" in fields:
        fields["shipped"] += f" with {plain(sub.carrier)}, {plain(sub.tracking_no)}"
    return fields


def _attention(attention: Sequence[AttentionView]) -> None:
    for one in attention:
        where = f"{one.subject}: " if one.subject else ""
        told = plain(f"needs a person since {_at(one.since)}: {where}{one.topic}: {one.text}")
        typer.secho(told, fg="red", bold=True)


def _lines(lines: Sequence[LineView]) -> None:
    columns = [
        Column("#", right=True),
        Column("goods"),
        Column("merchant"),
        *(Column(name, right=True) for name in ("pieces", "shipped", "to ship", "closed", "paid / due")),
    ]
    rows = [
        [
            str(line.line_no),
            "\n".join([line.title, line.sku, *_terms(line)]),
            line.merchant,
            str(line.quantity),
            _count(line.shipped),
            _count(line.quantity - line.shipped - line.closed),
            _count(line.closed),
            yuan(line.pay_fen),
        ]
        for line in lines
    ]
    print_table(columns, rows, "Lines")


def _terms(line: LineView) -> list[str]:
    """What each promotion took off the line, or which promotion gave it."""
    gift = [f"a gift of {line.gift_of}"] if line.gift_of else []
    return gift + [f"{share.promotion_id} −{yuan(share.amount_fen)}" for share in line.discounts]


def _sub_orders(subs: Sequence[SubOrderView]) -> None:
    columns = [
        Column("number", fixed=True),
        Column("merchant, warehouse"),
        Column("status"),
        Column("parcel"),
        Column("paid", right=True),
    ]
    rows = [
        [
            sub.sub_order_no,
            f"{sub.merchant}, {sub.warehouse or 'virtual'}",
            sub.status if sub.close_reason is None else f"{sub.status}\n{sub.close_reason}",
            _travels(sub),
            yuan(sub.pay_fen + sub.shipping_fen),
        ]
        for sub in subs
    ]
    print_table(columns, rows, "Sub-orders")


def _travels(sub: SubOrderView) -> str:
    if sub.carrier:
        return f"{sub.carrier} {sub.tracking_no}{_latest(sub)}"
    if sub.delivered_at:
        return "granted"
    waits = [f"ships from {sub.ships_from}"] if sub.ships_from else []
    return "\n".join(["not shipped", *waits, *(flag.lower() for flag in sub.flags)])


def _latest(sub: SubOrderView) -> str:
    if sub.delivered_at or not sub.tracking:
        return "\ndelivered" if sub.delivered_at else ""
    scan = sub.tracking[-1]
    return f"\n{scan.kind}" + (f", {scan.place}" if scan.place else "")


def _refunds(refunds: Sequence[RefundView]) -> None:
    if not refunds:
        return
    columns = [Column("number", fixed=True), Column("amount", right=True), Column("state"), Column("reason")]
    rows = [[one.refund_no, yuan(one.amount_fen, one.currency), one.state, one.reason] for one in refunds]
    print_table(columns, rows, "Refunds")


def _count(pieces: int) -> str:
    return str(pieces) if pieces else "·"


def _at(moment: datetime) -> str:
    return f"{_time(moment)} UTC"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
