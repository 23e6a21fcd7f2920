"""The verbs on what crashes left behind: leftovers, reclaim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import click

from storekit.cli import output
from storekit.cli.options import duration, store_names, verb
from storekit.cli.session import Session
from storekit.values import Leftover

__all__ = ["leftovers", "reclaim"]

F = TypeVar("F", bound=Callable[..., object])


def _selection(function: F) -> F:
    function = click.option(
        "--older-than",
        metavar="DURATION",
        type=duration,
        default="24h",
        show_default=True,
        help="The least age: 45s, 30m, 24h, 2d, or 0.",
    )(function)
    return click.argument("store", required=False, shell_complete=store_names)(function)


@click.command()
@_selection
@verb
def leftovers(session: Session, store: str | None, older_than: timedelta) -> None:
    """List what crashes left behind in STORE, or in all.

    A live upload is never shown.
    """
    with session.stores() as stores:
        found = session.gather(stores, store, lambda one: one.leftovers(older_than))
    _show(session, [leftover for _, leftover in found])


@click.command()
@_selection
@verb
def reclaim(session: Session, store: str | None, older_than: timedelta) -> None:
    """Remove what crashes left behind in STORE, or in all.

    A live upload is never touched.
    """
    with session.stores() as stores:
        found = session.gather(stores, store, lambda one: one.reclaim(older_than))
    _show(session, [leftover for _, leftover in found])


def _show(session: Session, found: Sequence[Leftover]) -> None:
    if session.json:
        output.document(found)
        return
    rows = [
        (
            leftover.store,
            output.printable(leftover.name),
            output.human_size(leftover.size),
            str(leftover.size),
            output.when(leftover.modified),
        )
        for leftover in found
    ]
    output.table(["STORE", "NAME", "SIZE", "BYTES", "MODIFIED"], rows, right=(2, 3))
