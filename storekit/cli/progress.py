"""Progress bars on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from storekit.cli.output import printable
from storekit.cli.session import Session
from storekit.cli.signals import postponed

__all__ = ["bar"]

_LABEL = 30


@contextmanager
def bar(
    session: Session, label: str, total: int | None, *, counted: bool = True
) -> Iterator[Callable[[int], None]]:
    """Draw a progress bar while a block runs, if one is wanted.

    Args:
        session: Knows whether one is wanted.
        label: What is on its way.
        total: Its size in bytes; None is unknown, and the bar pulses.
        counted: Whether the bytes are counted at all.

    Returns:
        A function to be called with the running count of bytes.
    """
    wanted = sys.stderr.isatty() if session.progress is None else session.progress
    if not wanted:
        yield lambda _: None
        return
    name = printable(label)
    name = name if len(name) <= _LABEL else name[: _LABEL - 3] + "..."
    # rich takes longer to load than most verbs take to run.
    from storekit.cli.bars import progress_of  # noqa: PLC0415

    progress = progress_of(sized=total is not None, counted=counted)
    try:
        # rich cannot clean up after a start that was cut: the cursor would stay hidden.
        with postponed():
            progress.start()
        task = progress.add_task(name, total=total)
        yield lambda count: progress.update(task, completed=count)
    finally:
        with postponed():
            progress.stop()
