"""Tables for people, on a terminal of any width."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cli.base import plain

WIDTH_OF_A_PIPE = 120


@dataclass(frozen=True)
class Column:
    """A column of a table. A `fixed` one is never wrapped, because people copy from it."""

    name: str
    right: bool = False
    fixed: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print rows of plain text: what looks like markup or escapes stays text. Empty columns are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = [at for at, column in enumerate(columns) if column.fixed or any(row[at] for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for column in (columns[at] for at in shown):
        table.add_column(column.name, justify="right" if column.right else "left", no_wrap=column.fixed or column.right)
    for row in rows:
        table.add_row(*(Text("\n".join(plain(line) for line in row[at].split("\n"))) for at in shown))
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE, highlight=False)
    console.print(*([Text(f"\n{title}", style="bold")] if title else []), table, sep="\n")
