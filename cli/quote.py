"""`starter.py quote`: price and split a document, with no server running."""

from typing import Annotated

import typer

from cli.base import AsJson


def quote(
    file: Annotated[str, typer.Argument(help="A quote document (JSON); - reads standard input.")],
    as_json: AsJson = False,
) -> None:
    """Price a cart under promotions and split it, without placing an order. Needs no server. Rules: docs/rules.md."""
    from cli.quote_file import run

    raise typer.Exit(run(file, as_json))
