"""What makes an order cheaper: `load-promotions`, `promotion`, `coupon` and `member`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.input import made, moment, read_bytes
from cli.promotions_file import read_promotions
from cli.tables import Column, print_table
from domain.strict_json import BadDocument

if TYPE_CHECKING:  # `--help` must be quick
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.pricing.market import Coupon
    from domain.pricing.promotion import Promotion
    from store.accounts.coupons import CouponEntry, HeldCoupon
    from store.accounts.points import Points
    from store.catalog.promotions import KnownPromotion

promotion = typer.Typer(no_args_is_help=True, help="See promotions, and stop them.")
coupon = typer.Typer(no_args_is_help=True, help="Give coupons to buyers, and see what became of them.")
member = typer.Typer(no_args_is_help=True, help="Say which member tier a buyer has; see its points.")

PromotionId = Annotated[str, typer.Argument(metavar="PROMOTION_ID", help="The promotion's id.")]
_BUYER = {"min": 1, "max": 2**53}


def load_promotions(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Promotions, like examples/promotions.json; - reads standard input.")
    ],
    as_json: base.AsJson = False,
) -> None:
    """Load a file's promotions, all or none.

    Promotions never change: loading one again does nothing, and other content needs another id."""
    given = _read(file)

    async def work(engine: "AsyncEngine") -> list[str]:
        from store.catalog.promotions import LoadedBefore, PostgresPromotions

        try:
            return await PostgresPromotions(engine).load(given)
        except LoadedBefore as refused:
            raise _refused(file, given, refused.promotion_ids) from None

    loaded = base.with_engine(work)
    if as_json:
        base.say_json({"loaded": loaded, "known": len(given) - len(loaded)})
        return
    typer.echo(f"{len(loaded)} promotions loaded, {len(given) - len(loaded)} were there already")


@promotion.command("list")
def list_promotions(
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended or were stopped.")] = False,
    as_json: base.AsJson = False,
) -> None:
    """List the promotions that are on or still to come; those that end first come first."""

    async def work(engine: "AsyncEngine") -> "list[KnownPromotion]":
        from store.catalog.promotions import PostgresPromotions

        return await PostgresPromotions(engine).promotions(None if every else datetime.now(UTC))

    found = base.with_engine(work)
    if as_json:
        base.say_json({"promotions": [known.model_dump(mode="json") for known in found]})
        return
    if not found:
        typer.echo("nothing here")
        return
    columns = [Column("promotion", fixed=True), *map(Column, ("level", "kind", "merchant", "from", "until", "stopped"))]
    print_table(columns, [_row(known) for known in found])


@promotion.command()
def show(promotion_id: PromotionId, as_json: base.AsJson = False) -> None:
    """Show a promotion as it was loaded, and whether it was stopped."""

    async def work(engine: "AsyncEngine") -> "KnownPromotion | None":
        from store.catalog.promotions import PostgresPromotions

        return await PostgresPromotions(engine).promotion(promotion_id)

    _say_promotion(_there(base.with_engine(work), promotion_id), as_json)


@promotion.command()
def stop(
    promotion_id: PromotionId,
    author: Annotated[str, typer.Option(help="Who does this.")],
    as_json: base.AsJson = False,
) -> None:
    """Stop a promotion at once, for good. Orders that have it keep it."""

    async def work(engine: "AsyncEngine") -> "KnownPromotion | None":
        from store.catalog.promotions import PostgresPromotions

        return await PostgresPromotions(engine).stop(promotion_id, datetime.now(UTC), author)

    _say_promotion(_there(base.with_engine(work), promotion_id), as_json)


@coupon.command()
def issue(
    promotion_id: PromotionId,
    buyers: Annotated[list[int], typer.Argument(metavar="BUYER_ID", help="Who gets one.", **_BUYER)],
    expires_at: Annotated[
        str,
        typer.Option(help="Until when: 2026-12-31T00:00:00Z, or from now: 30d. Default: as long as the promotion."),
    ] = "",
    count: Annotated[int, typer.Option(min=1, max=1_000, help="How many each.")] = 1,
    as_json: base.AsJson = False,
) -> None:
    """Give coupons of a promotion to buyers, all or none. Each has a code that nobody can guess."""
    now = datetime.now(UTC)
    until = moment(expires_at, now) if expires_at else None
    if until is not None and until <= now:
        raise base.Fault(f"--expires-at: {expires_at} is over already; name a later time", base.BAD_INPUT)

    async def work(engine: "AsyncEngine") -> "list[Coupon]":
        from store.accounts.coupons import NotIssued, PostgresCoupons

        each = [buyer for buyer in buyers for _ in range(count)]
        try:
            return await PostgresCoupons(engine).issue_to_all(promotion_id, each, now, until)
        except NotIssued as refused:
            raise base.Fault(str(refused), base.REFUSED) from None

    issued = base.with_engine(work)
    if as_json:
        base.say_json({"coupons": [given.model_dump(mode="json") for given in issued]})
        return
    columns = [Column("coupon", fixed=True), Column("buyer", right=True), Column("expires")]
    print_table(columns, [[given.coupon_id, str(given.buyer_id), _when(given.expires_at)] for given in issued])


@coupon.command("list")
def list_coupons(
    buyer: Annotated[int, typer.Argument(metavar="BUYER_ID", help="Whose.", **_BUYER)], as_json: base.AsJson = False
) -> None:
    """List a buyer's coupons; those that expire first come first."""

    async def work(engine: "AsyncEngine") -> "list[HeldCoupon]":
        from store.accounts.coupons import PostgresCoupons

        return await PostgresCoupons(engine).of_buyer(buyer, datetime.now(UTC))

    held = base.with_engine(work)
    if as_json:
        base.say_json({"coupons": [one.model_dump(mode="json") for one in held]})
        return
    if not held:
        typer.echo("nothing here")
        return
    columns = [Column("coupon", fixed=True), *map(Column, ("promotion", "state", "expires", "order"))]
    print_table(
        columns,
        [[one.coupon_id, one.promotion_id, one.state, _when(one.expires_at), one.order_no or ""] for one in held],
    )


@coupon.command()
def history(
    coupon_id: Annotated[str, typer.Argument(metavar="COUPON_ID", help="The coupon's code.")],
    as_json: base.AsJson = False,
) -> None:
    """Show which orders took a coupon, redeemed it or gave it back."""

    async def work(engine: "AsyncEngine") -> "list[CouponEntry]":
        from store.accounts.coupons import PostgresCoupons

        return await PostgresCoupons(engine).history(coupon_id)

    entries = base.with_engine(work)
    if not entries:
        raise base.Fault(f"there is no coupon {coupon_id}", base.REFUSED)
    if as_json:
        base.say_json({"coupon_id": coupon_id, "entries": [entry.model_dump(mode="json") for entry in entries]})
        return
    columns = [*map(Column, ("when", "what")), Column("order", fixed=True)]
    print_table(columns, [[_when(entry.at), entry.entry, entry.order_no or ""] for entry in entries])


@member.command("set")
def set_member(
    buyer: Annotated[int, typer.Argument(metavar="BUYER_ID", help="Who.", **_BUYER)],
    tier: Annotated[str, typer.Option(help="The tier, as item prices name it, like GOLD.")],
    as_json: base.AsJson = False,
) -> None:
    """Set a buyer's member tier, for orders placed from now on."""
    from domain.quote.document import QuoteBuyer

    known = made(QuoteBuyer, {"buyer_id": "BUYER_ID"}, buyer_id=buyer, tier=tier)

    async def work(engine: "AsyncEngine") -> None:
        from store.accounts.members import PostgresMembers

        await PostgresMembers(engine).set_tier(buyer, tier)

    base.with_engine(work)
    if as_json:
        base.say_json(known)
        return
    typer.echo(f"{buyer} is {tier}")


@member.command("show")
def show_member(
    buyer: Annotated[int, typer.Argument(metavar="BUYER_ID", help="Who.", **_BUYER)], as_json: base.AsJson = False
) -> None:
    """Show a buyer's tier, the points, and how these came about, newest first."""

    async def work(engine: "AsyncEngine") -> "tuple[str | None, Points]":
        from store.accounts.members import PostgresMembers
        from store.accounts.points import PostgresPoints

        return await PostgresMembers(engine).tier(buyer), await PostgresPoints(engine).of_buyer(buyer)

    tier, points = base.with_engine(work)
    if as_json:
        base.say_json({"buyer_id": buyer, "tier": tier, **points.model_dump(mode="json")})
        return
    typer.echo(f"{buyer} is {tier or 'of no tier'}, and has {points.balance} points")
    if points.entries:
        columns = [Column("when"), Column("what"), Column("points", right=True), Column("short", right=True)]
        print_table(
            [*columns, Column("sub-order", fixed=True)],
            [
                [_when(one.at), one.entry, f"{one.points:+}", str(one.short or ""), one.sub_order_no or ""]
                for one in points.entries
            ],
        )


def _read(file: str) -> "list[Promotion]":
    """The promotions of a file. Every row that is wrong is a line on stderr; raises Fault."""
    name = "stdin" if file == "-" else file
    try:
        return read_promotions(read_bytes(file))
    except BadDocument as wrong:
        raise _rows_fault([f"{name}: {problem}" for problem in wrong.problems], base.BAD_INPUT) from None


def _refused(file: str, given: "Sequence[Promotion]", refused: Sequence[str]) -> base.Fault:
    name = "stdin" if file == "-" else file
    problems = [
        f"{name}: promotions[{position}].promotion_id: {one.promotion_id!r} was loaded before with other content; "
        "issue it under a new id"
        for position, one in enumerate(given)
        if one.promotion_id in refused
    ]
    return _rows_fault(problems, base.REFUSED)


def _rows_fault(problems: Sequence[str], code: int) -> base.Fault:
    """Print all problems but the last, and return the Fault that tells the last one."""
    *before, last = problems
    for problem in before:
        base.say_fault(problem)
    return base.Fault(last, code)


def _there(found: "KnownPromotion | None", promotion_id: str) -> "KnownPromotion":
    if found is None:
        raise base.Fault(f"there is no promotion {promotion_id}; `promotion list --all` names them", base.REFUSED)
    return found


def _say_promotion(known: "KnownPromotion", as_json: bool) -> None:
    if as_json:
        base.say_json(known)
        return
    document = known.promotion.model_dump(mode="json", exclude_none=True)
    fields = {name: base.plain(str(value)) for name, value in document.items()}
    stopped = {} if known.stopped_at is None else {"stopped": f"{_when(known.stopped_at)} by {known.stopped_by}"}
    base.say_fields({**fields, "digest": known.digest, "loaded": _when(known.loaded_at), **stopped})


def _row(known: "KnownPromotion") -> list[str]:
    one = known.promotion
    merchant = one.merchant or ""
    times = [_when(each) for each in (one.starts_at, one.ends_at, known.stopped_at)]
    return [one.promotion_id, one.level, one.kind, merchant, *times]


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
