"""The command line: which commands there are, in the order of the story, and how it ends."""

import sys
from typing import NoReturn

import typer

from runtime import (
    cli_acts,
    cli_after_sale,
    cli_audit,
    cli_goods,
    cli_lists,
    cli_money,
    cli_place,
    cli_promotions,
    cli_quote,
    cli_risk,
    cli_show,
    cli_stock,
    cli_token,
    cli_verify,
)
from runtime.cli_base import say_fault

INTERRUPTED = 130

# In Markdown, a line that ends in a backslash is not joined with the next.
EPILOG = r"""
**A first order**, with `make up` running in another terminal:

python starter.py load-catalog examples/catalog.json\
python starter.py place examples/two-merchants.json\
python starter.py pay ORDER_NO\
python starter.py show ORDER_NO\
python starter.py ship SUB_NO --carrier SF-Express --tracking-no SF1001\
python starter.py deliver SUB_NO\
python starter.py confirm ORDER_NO

**Exit codes**: 0 done (or accepted: it comes through later); 1 refused, or no such order; 2 the input is wrong;
3 the servers or the worker do not answer. What is wrong is one line on stderr. With --json, stdout has one JSON
object, the answer (a refusal is one too), or nothing.
"""

app = typer.Typer(
    help="Place orders and do what buyers, merchants, carriers and operators do to them.",
    epilog=EPILOG,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GOODS, STORY, ELSE, LOOK, OPERATE = "Goods", "The story", "Where it may end otherwise", "Look", "Operate"

app.command("load-catalog", rich_help_panel=GOODS)(cli_goods.load_catalog)
app.add_typer(cli_goods.product, name="product", rich_help_panel=GOODS)
app.add_typer(cli_stock.app, name="stock", rich_help_panel=GOODS)
app.command(rich_help_panel=GOODS)(cli_promotions.load_promotions)
app.add_typer(cli_promotions.promotion, name="promotion", rich_help_panel=GOODS)
app.add_typer(cli_promotions.coupon, name="coupon", rich_help_panel=GOODS)
app.add_typer(cli_promotions.member, name="member", rich_help_panel=GOODS)
app.command(rich_help_panel=GOODS)(cli_quote.quote)
for command in (
    cli_place.place,
    cli_place.pay,
    cli_acts.reschedule,
    cli_acts.ship,
    cli_acts.track,
    cli_acts.deliver,
    cli_acts.confirm,
    cli_acts.review,
):
    app.command(rich_help_panel=STORY)(command)
app.command(rich_help_panel=ELSE)(cli_acts.cancel)
app.command("decide-risk", rich_help_panel=ELSE)(cli_acts.decide_risk)
app.add_typer(cli_after_sale.app, name="after-sale", rich_help_panel=ELSE)
app.command(rich_help_panel=LOOK)(cli_show.show)
app.command("list", rich_help_panel=LOOK)(cli_lists.list_)
app.command(rich_help_panel=LOOK)(cli_verify.verify)
app.command(rich_help_panel=LOOK)(cli_money.money)
app.command(rich_help_panel=LOOK)(cli_money.statements)
app.command(rich_help_panel=OPERATE)(cli_money.settle)
app.command(rich_help_panel=OPERATE)(cli_money.reconcile)
app.add_typer(cli_risk.app, name="risk", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(cli_audit.audit)
app.command(rich_help_panel=OPERATE)(cli_token.token)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run it; an expected fault is one line on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not break an ASCII terminal
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given or ["--help"], prog_name="starter.py", standalone_mode=False)
    except typer.TyperException as fault:
        context = getattr(fault, "ctx", None)  # a usage error's
        hint = f"; see `{context.command_path} --help`" if context else ""
        if told := fault.format_message():  # empty: no command was named, and the help is printed already
            say_fault(told.replace("\n", " ").rstrip(".") + hint)
        code = fault.exit_code
    except typer.Abort:
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
