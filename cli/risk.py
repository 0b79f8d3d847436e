"""`starter.py risk`: who is blocked, the settings of the rules, and what other settings would have said."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from cli.base import with_engine
from cli.input import moment
from domain.risk import Block, BlockKind, RiskSettings, TryReport

if TYPE_CHECKING:  # `--help` must be quick
    from store.risk.desk import PostgresRisk

app = typer.Typer(
    no_args_is_help=True,
    help="Keep block lists and thresholds of risk.",
)

Result = TypeVar("Result")

Kind = Annotated[
    BlockKind, typer.Argument(help="What to block: BUYER, DEVICE, ADDRESS, PHONE or IP_RANGE.", case_sensitive=False)
]
Value = Annotated[
    str,
    typer.Argument(
        help="The buyer's id, device's id, phone, IP range (203.0.113.0/24), or address as text (region and street)."
    ),
]
Author = Annotated[str, typer.Option("--author", help="Who does this.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def block(
    kind: Kind,
    value: Value,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever may have to lift it.")],
    author: Author,
    expires: Annotated[
        str,
        typer.Option("--expires", help="Until when: 2026-12-31T00:00:00Z, or from now: 30d, 12h. Default: for good."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Block a buyer, device, address, phone or IP range from placing orders."""
    until = _expiry(expires) if expires else None

    async def act(desk: "PostgresRisk") -> Block:
        return await desk.block(kind, value, reason=reason, author=author, expires_at=until)

    made = _with_desk(act)
    _say(made, f"blocked: {_told(made)}", as_json)


@app.command()
def unblock(kind: Kind, value: Value, as_json: AsJson = False) -> None:
    """Lift a block. Exits with 1 when there was none."""
    lifted = _with_desk(lambda desk: desk.unblock(kind, value))
    _say({"unblocked": lifted}, f"{kind} {value}: {'unblocked' if lifted else 'was not blocked'}", as_json)
    if not lifted:
        raise typer.Exit(1)


@app.command()
def blocks(as_json: AsJson = False) -> None:
    """Show every block."""
    every = _with_desk(lambda desk: desk.blocks())
    lines = [_told(found) for found in every] or ["nobody is blocked"]
    _say([found.model_dump(mode="json") for found in every], "\n".join(lines), as_json)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Show every threshold and weight, and its default where it differs."""
    _say_settings(_with_desk(lambda desk: desk.settings()), as_json)


@app.command(name="set")
def set_(
    name: Annotated[str, typer.Argument(help="The setting's name, as `risk settings` shows it.")],
    value: Annotated[str, typer.Argument(help="Its new value: a number, or JSON like '{\"SKU-1\": 2}'.")],
    author: Author,
    as_json: AsJson = False,
) -> None:
    """Change a threshold or weight for orders assessed from now on."""
    _say_settings(_with_desk(lambda desk: desk.change_settings({name: _value(value)}, author)), as_json)


@app.command(name="try")
def try_(
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, a setting to try; may be repeated.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="Only orders from 2026-11-01T00:00:00Z on, or the last 7d.")
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="At most so many, the newest.")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Show what the rules, with some settings changed, would have said of past orders. It changes nothing."""
    tried = dict(_change(change) for change in changes or [])
    start = _start(since) if since else None

    async def act(desk: "PostgresRisk") -> TryReport:
        return await desk.try_rules((await desk.settings()).changed(tried), start, most)

    report = _with_desk(act)
    _say(report, _report(report), as_json)


def _with_desk(act: "Callable[[PostgresRisk], Awaitable[Result]]") -> Result:
    """Run `act` with the risk desk. A ValueError about the input is reported without a traceback."""
    from store.risk.desk import PostgresRisk

    try:
        return with_engine(lambda engine: act(PostgresRisk(engine)))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _say(result: BaseModel | dict[str, Any] | list[Any], text: str, as_json: bool) -> None:
    plain = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
    typer.echo(json.dumps(plain, ensure_ascii=False, indent=2) if as_json else text)


def _say_settings(found: RiskSettings, as_json: bool) -> None:
    usual = RiskSettings().model_dump()
    lines = [
        f"{name:<26}{json.dumps(value)}" + ("" if value == usual[name] else f"   (default {json.dumps(usual[name])})")
        for name, value in found.model_dump().items()
    ]
    _say(found, "\n".join(lines), as_json)


def _told(found: Block) -> str:
    until = f"until {found.expires_at:%Y-%m-%d %H:%M} UTC" if found.expires_at else "for good"
    return f"{found.kind:<9} {found.value}  {until}  by {found.author}: {found.reason}"


def _report(report: TryReport) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts.items())
    lines = [f"{report.orders} orders: {counts}; {len(report.changed)} differ from what was said then"]
    lines += [
        f"  {change.order_no}  {change.was or 'not assessed'} -> {change.would_be} (score {change.score})"
        for change in report.changed
    ]
    if report.more:
        lines.append("  older orders were not looked at; raise --most to see them")
    return "\n".join(lines)


def _change(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is no change; write NAME=VALUE, like --set velocity_orders=20")
    return name.strip(), _value(value)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # the setting's own check says what would be right


def _expiry(text: str) -> datetime:
    now = datetime.now(UTC)
    until = moment(text, now)
    if until <= now:
        raise typer.BadParameter(f"{text} is over already; a block expires later than now")
    return until


def _start(text: str) -> datetime:
    return moment(text, datetime.now(UTC), -1)
