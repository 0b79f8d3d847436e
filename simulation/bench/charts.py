"""The chart of each page. matplotlib comes with the extra `bench`, and is not needed to measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CROWDED = 8  # the most labels that fit side by side; more of them are rotated
_INKS = ("#c44e52", "#dd8452", "#4c72b0", "#55a868", "#8172b3", "#937860")


@dataclass
class Panel:
    """One panel of a chart: lines over the same `at`, or bars when these are names; `levels` are horizontal lines."""

    title: str
    across: str
    up: str
    at: Sequence[float] | Sequence[str]
    lines: Mapping[str, Sequence[float]]
    levels: Mapping[str, float] = field(default_factory=dict)
    log: bool = False


@dataclass
class Chart:
    panels: Sequence[Panel]

    def draw(self, path: Path) -> bool:
        """Draw the chart into a file. Without matplotlib nothing is drawn, and False is returned."""
        if find_spec("matplotlib") is None:
            return False
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(1, len(self.panels), figsize=(6.4 * len(self.panels), 5.4), squeeze=False)
        for panel, ax in zip(self.panels, axes[0], strict=True):
            _draw(panel, ax)
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        return True


def _draw(panel: Panel, ax: "Axes") -> None:
    places = range(len(panel.at))
    for number, (name, values) in enumerate(panel.lines.items()):
        ink = _INKS[number % len(_INKS)]
        if panel.at and isinstance(panel.at[0], str):
            width = 0.8 / len(panel.lines)
            ax.bar([place + width * number for place in places], values, width, label=name, color=ink)
        else:
            ax.plot(places, values, marker="o", label=name, color=ink)
    for number, (name, level) in enumerate(panel.levels.items()):
        ax.axhline(level, label=name, linestyle=("--", ":", "-.")[number % 3], color="#888888")
    ax.set_xticks(list(places), [str(at) if isinstance(at, str) else f"{at:,}" for at in panel.at])
    ax.set_title(panel.title)
    ax.set_xlabel(panel.across)
    ax.set_ylabel(panel.up)
    if panel.log:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.grid(axis="y", alpha=0.3)
    if len(panel.at) > _CROWDED:
        ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=45, ha="right")
        ax.legend(fontsize=8, loc="upper left")
    else:
        ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
