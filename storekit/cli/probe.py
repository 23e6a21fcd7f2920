"""The verb that measures a store beside what it declares: probe."""

from __future__ import annotations

import re
import sys

import click

from storekit.cli import output
from storekit.cli.apart import chosen_harness
from storekit.cli.conform import EXIT_ENVIRONMENT, check_target
from storekit.cli.failures import report
from storekit.cli.options import store_names, verb
from storekit.cli.session import Session
from storekit.errors import ConfigurationError

__all__ = ["probe"]

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _size(text: str) -> int:
    """Read a size: ``64MiB``, ``1GiB``, or a number of bytes."""
    match = re.fullmatch(r"([0-9]+) ?(|KiB|MiB|GiB)", text, re.ASCII)
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < size < 1 << 63:
        raise click.BadParameter(f"{text!r} is no size: 64MiB, 1GiB, or a number of bytes")
    return size


@click.command()
@click.argument("store", required=False, shell_complete=store_names)
@click.option(
    "--limit",
    metavar="SIZE",
    default="32MiB",
    show_default=True,
    type=_size,
    help="The longest image to try.",
)
@click.option("--seed", type=int, metavar="N", help="Make the choices of an earlier run again.")
@click.option("--harness", metavar="MODULE:CLASS", help="A harness, in place of a store.")
@verb
def probe(
    session: Session, store: str | None, limit: int, seed: int | None, harness: str | None
) -> None:
    """Measure what STORE really does, beside what it declares.

    Exits with 0 if all that is declared was measured, 1 if not, 3 if the backend failed.

    It stores images of its own, and deletes them again. Those of others are left alone.
    """
    from storekit.testing.probing.engine import probe as measure  # noqa: PLC0415 - the kit, when asked for
    from storekit.testing.reports.measured import probe_document, probe_text  # noqa: PLC0415

    check_target(store, harness)
    kind = chosen_harness(store, harness, session.config)
    try:
        found = measure(kind, limit=limit, seed=seed)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a harness raises
        report(error, as_json=session.json, debug=session.debug)
        _left(session, error)
        session.exit_code = EXIT_ENVIRONMENT
        return
    except BaseException as error:
        _left(session, error)
        raise
    if session.json:
        output.document(probe_document(found))
    else:
        colour = sys.stdout.isatty() and not output.no_colour()
        output.line(probe_text(found, colour=colour).rstrip())
    session.exit_code = found.exit_code


def _left(session: Session, error: BaseException) -> None:
    """Tell what could not be removed, which the probe notes on what stopped it."""
    for note in getattr(error, "__notes__", ()):
        session.note(note)
