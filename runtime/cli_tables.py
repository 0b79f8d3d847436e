"""Tables for people, on a terminal of any width."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.cli_base import plain

WIDTH_OF_A_PIPE = 120


@dataclass(frozen=True)
class Column:
    """`fixed`: never wrapped, because it is copied from there."""

    name: str
    right: bool = False
    fixed: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Rows of plain text: what looks like markup or escapes in a title stays text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column.name, justify="right" if column.right else "left", no_wrap=column.fixed or column.right
        )
    for row in rows:
        table.add_row(*(Text("\n".join(plain(line) for line in cell.split("\n"))) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE, highlight=False).print(table)
