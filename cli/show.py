"""`starter.py show`: an order or a sub-order in full, or why there is none."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli import base
from cli.place import refusal_line
from cli.show_text import events_table, show_order, show_sub_order
from domain.order.lines import Placement
from domain.order.order_number import OrderNo
from domain.records.views import EventView, OrderView

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from runtime.settings import Settings


def show(
    no: Annotated[str, typer.Argument(metavar="NO", help="The number of an order, or of one of its sub-orders.")],
    as_json: base.AsJson = False,
) -> None:
    """Show an order or sub-order in full.

    That is its status, what was shipped of it and what was not, what a person is needed for, refunds, who did what
    when, and the link to its run in Temporal's UI. For a refused order it is why it was refused."""
    number = base.any_number(no)
    view, refused, events = base.with_engine(lambda engine: _look(engine, number))
    if view is None and refused is not None:
        _show_refused(number, refused, events, as_json)
    elif view is None:
        _show_without_a_row(number, as_json)
    elif number.sub is None:
        _show_order(view, as_json)
    else:
        _show_sub_order(view, no.strip(), as_json)


async def _look(engine: "AsyncEngine", number: OrderNo) -> tuple[OrderView | None, Placement | None, list[EventView]]:
    from store.orders.views import PostgresViews

    views = PostgresViews(engine)
    view = await views.order(number.order_no)
    if view is not None:
        return view, None, view.events
    return None, await views.refusal(number.order_no), await views.events(number.order_no)


def _show_order(view: OrderView, as_json: bool) -> None:
    run = _run("order", view.order_no)
    if as_json:
        base.say_json({**view.model_dump(mode="json"), "run": run})
        return
    show_order(view, _link(run))


def _show_sub_order(view: OrderView, no: str, as_json: bool) -> None:
    sub = next((one for one in view.sub_orders if one.sub_order_no == no), None)
    if sub is None:
        listed = ", ".join(one.sub_order_no for one in view.sub_orders) or "none yet"
        raise base.Fault(f"order {view.order_no} has no sub-order {no}; it has: {listed}", base.REFUSED)
    attention = [one for one in view.attention if one.subject == no]
    events = [one for one in view.events if one.subject == no]
    run = _run("sub-order", no)
    if as_json:
        more = {"order_no": view.order_no, "buyer_id": view.buyer_id, "order_status": view.status}
        told = {name: [one.model_dump(mode="json") for one in each] for name, each in _named(attention, events)}
        base.say_json({**sub.model_dump(mode="json"), **more, **told, "run": run})
        return
    show_sub_order(view, sub, attention, events, _link(run))


def _named(attention: list[Any], events: list[Any]) -> list[tuple[str, list[Any]]]:
    return [("attention", attention), ("events", events)]


def _show_refused(number: OrderNo, placement: Placement, events: list[EventView], as_json: bool) -> None:
    run = _run("order", number.order_no)
    if as_json:
        listed = [event.model_dump(mode="json") for event in events]
        told = placement.model_dump(mode="json", include={"order_no", "refusal"})
        base.say_json({"outcome": "REFUSED", **told, "events": listed, "run": run})
        return
    assert placement.refusal is not None
    fields = {"order": number.order_no, "refused": placement.refusal.code, "why": refusal_line(placement)}
    base.say_fields(fields | {"held": "nothing", "run": _link(run)})
    events_table(events)


def _show_without_a_row(number: OrderNo, as_json: bool) -> None:
    """Show an order that has no row: it was accepted and no worker has placed it yet. Raises Fault when there is no
    such order."""
    if not _has_open_run(number.order_no):
        raise base.Fault(f"there is no order {number.order_no}", base.REFUSED)
    run = _run("order", number.order_no)
    if as_json:
        base.say_json({"outcome": "ACCEPTED", "order_no": number.order_no, "run": run})
        return
    told = "accepted; no worker has placed it yet, it comes through when one does"
    base.say_fields({"order": number.order_no, "outcome": told, "run": _link(run)})


def _has_open_run(order_no: str) -> bool:
    async def look() -> bool:
        from temporalio.service import RPCError, RPCStatusCode

        from runtime.temporal import connect

        client = await connect(base.settings())
        try:
            await client.get_workflow_handle(f"order/{order_no}").describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    return base.run(look)


def _run(kind: str, number: str) -> dict[str, str | None]:
    """The run of an order or sub-order, and its page in Temporal's UI if that is the UI of our embedded server."""
    from runtime.settings import running

    settings: Settings = base.settings()
    up = running(settings.data_dir) if settings.embedded_temporal else None
    workflow_id = f"{kind}/{number}"
    url = f"{up.temporal_ui}/namespaces/default/workflows/{quote(workflow_id, safe='')}" if up else None
    return {"workflow_id": workflow_id, "url": url if up and up.temporal_ui else None}


def _link(run: dict[str, str | None]) -> str:
    return run["url"] or f"workflow {run['workflow_id']}"
