"""The ratios as a picture."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from measure import SUBJECT
from report import Report

__all__ = ["draw"]

_COLOURS = {"glance_store": "#d1495b", "bare road": "#30638e"}
_OTHER = "#6c757d"


def draw(report: Report, path: Path) -> None:
    """Draw how many times as fast storekit is as each of the others.

    Args:
        report: What was measured.
        path: The picture; its suffix says the kind.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("agg")
    # The same figures give the same file; letters stay letters.
    matplotlib.rcParams.update({"svg.hashsalt": "storekit", "svg.fonttype": "none"})
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    results = [result for result in report.results if result.ratios]
    figure, axes = pyplot.subplots(
        figsize=(10, 1.2 + 0.34 * len(results)), layout="constrained", dpi=110
    )
    seen: set[str] = set()
    for row, result in enumerate(results):
        names = list(result.ratios)
        for place, name in enumerate(names):
            ratio = result.ratios[name]
            axes.errorbar(
                ratio.median,
                row + 0.22 * (place - (len(names) - 1) / 2),
                xerr=[[ratio.median - ratio.least], [ratio.most - ratio.median]],
                fmt="o",
                markersize=4,
                elinewidth=1,
                color=_COLOURS.get(name, _OTHER),
                label=None if _shown(name) in seen else _shown(name),
            )
            seen.add(_shown(name))
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.set_yticks(range(len(results)), [result.name for result in results], fontsize=8)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel(f"how many times as fast {SUBJECT} is: median, least and most of the rounds")
    if seen:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _shown(name: str) -> str:
    return name if name in _COLOURS else "md5 alone, or cp + sync"
