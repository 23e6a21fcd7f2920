"""How a progress bar looks. Imports rich, so it is imported only when one is drawn."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from storekit.cli.output import human_size, no_colour

__all__ = ["progress_of"]


class _Count(ProgressColumn):
    """``1.5 MiB/20.7 MiB``, or ``1.5 MiB`` if the end is not known."""

    def render(self, task: Task) -> Text:
        end = "" if task.total is None else f"/{human_size(int(task.total))}"
        return Text(human_size(int(task.completed)) + end, style="progress.download")


class _Rate(ProgressColumn):
    """``80.0 MiB/s``: of late while it runs, over all when it ends."""

    def render(self, task: Task) -> Text:
        rate = None if task.finished else task.speed
        if rate is None and task.elapsed:
            rate = task.completed / task.elapsed
        return Text(f"{human_size(int(rate or 0))}/s", style="progress.data.speed")


def progress_of(*, sized: bool, counted: bool) -> Progress:
    """Make the display of one bar on standard error.

    Args:
        sized: Whether the end is known: then the time left is shown, else the time passed.
        counted: Whether bytes are counted at all.
    """
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
    if counted:
        columns += [_Count(), _Rate()]
    columns.append(TimeRemainingColumn() if sized else TimeElapsedColumn())
    console = Console(
        stderr=True,
        # Who asks for a bar where there is no terminal gets one.
        force_terminal=None if sys.stderr.isatty() else True,
        no_color=no_colour() or None,
    )
    # The image itself may be on its way through standard output.
    return Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False)
