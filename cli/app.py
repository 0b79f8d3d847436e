"""The command line: which commands there are, in the order of an order's story, and how the process ends."""

import sys
from typing import NoReturn

import typer

from cli import acts, after_sale, audit, goods, lists, money, place, promotions, quote, risk, show, stock, token, verify
from cli.base import say_fault

INTERRUPTED = 130

# In Markdown, a line that ends in a backslash is not joined to the next one.
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

app.command("load-catalog", rich_help_panel=GOODS)(goods.load_catalog)
app.add_typer(goods.product, name="product", rich_help_panel=GOODS)
app.add_typer(stock.app, name="stock", rich_help_panel=GOODS)
app.command(rich_help_panel=GOODS)(promotions.load_promotions)
app.add_typer(promotions.promotion, name="promotion", rich_help_panel=GOODS)
app.add_typer(promotions.coupon, name="coupon", rich_help_panel=GOODS)
app.add_typer(promotions.member, name="member", rich_help_panel=GOODS)
app.command(rich_help_panel=GOODS)(quote.quote)
for command in (
    place.place,
    place.pay,
    acts.reschedule,
    acts.ship,
    acts.track,
    acts.deliver,
    acts.confirm,
    acts.review,
):
    app.command(rich_help_panel=STORY)(command)
app.command(rich_help_panel=ELSE)(acts.cancel)
app.command("decide-risk", rich_help_panel=ELSE)(acts.decide_risk)
app.add_typer(after_sale.app, name="after-sale", rich_help_panel=ELSE)
app.command(rich_help_panel=LOOK)(show.show)
app.command("list", rich_help_panel=LOOK)(lists.list_)
app.command(rich_help_panel=LOOK)(verify.verify)
app.command(rich_help_panel=LOOK)(money.money)
app.command(rich_help_panel=LOOK)(money.statements)
app.command(rich_help_panel=OPERATE)(money.settle)
app.command(rich_help_panel=OPERATE)(money.reconcile)
app.add_typer(risk.app, name="risk", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(audit.audit)
app.command(rich_help_panel=OPERATE)(token.token)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. An expected fault is one line on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not break an ASCII terminal
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given or ["--help"], prog_name="starter.py", standalone_mode=False)
    except typer.TyperException as fault:
        context = getattr(fault, "ctx", None)  # usage errors have one
        hint = f"; see `{context.command_path} --help`" if context else ""
        if told := fault.format_message():  # it is empty when no command was named, and the help was printed
            say_fault(told.replace("\n", " ").rstrip(".") + hint)
        code = fault.exit_code
    except typer.Abort:
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
