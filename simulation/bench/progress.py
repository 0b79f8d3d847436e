"""Shows what is being measured, for whoever waits."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Show:
    """Shows a bar of steps on a terminal, and prints a line for each finding everywhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("starting", total=None)
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, part: str, steps: int) -> None:
        self._progress.reset(self._task, total=steps, description=part)

    def step(self, doing: str) -> None:
        """Show that the next step has begun."""
        self._progress.update(self._task, advance=1, description=doing)

    def say(self, found: str) -> None:
        self._console.print(
            f"[{time.monotonic() - self._begun:5.0f} s] {found}", highlight=False, markup=False, soft_wrap=True
        )
