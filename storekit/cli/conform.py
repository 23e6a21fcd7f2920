"""The verb that holds a store to the contract: conform."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from storekit.cli import output
from storekit.cli.options import store_names, verb
from storekit.cli.session import Session
from storekit.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from storekit.testing.harness import Harness
    from storekit.testing.result import Report

__all__ = ["conform"]

_LEVELS = ["core", "robust", "hard"]
EXIT_ENVIRONMENT = 3
"""The kit or its environment failed."""


def _targets(text: str) -> list[tuple[str, Path]]:
    """Read ``json=FILE,md=FILE``."""
    from storekit.testing.reports import WRITERS  # noqa: PLC0415 - the kit, when it is asked for

    found = []
    for part in text.split(","):
        name, equals, path = part.partition("=")
        if name not in WRITERS or not (equals and path):
            raise click.BadParameter(f"{part!r} is not FORMAT=FILE with {', '.join(WRITERS)}")
        found.append((name, Path(path)))
    return found


@click.command()
@click.argument("store", required=False, shell_complete=store_names)
@click.option("-k", "select", metavar="IDS", help="Only cases whose ids begin so: ADD,GET-01.")
@click.option("--level", type=click.Choice(_LEVELS), default="core", show_default=True)
@click.option("--seed", type=int, metavar="N", help="Make the choices of an earlier run again.")
@click.option(
    "--report", "targets", metavar="FORMAT=FILE,..", help="Write json=, junit= or md= too."
)
@click.option("--waive", type=click.Path(path_type=Path), metavar="F", help="Signed failures.")
@click.option("--harness", metavar="MODULE:CLASS", help="A harness, in place of a store.")
@click.option("--list", "listing", is_flag=True, help="List the cases; --report md= the contract.")
@click.option("--explain", metavar="ID", help="Say all about one case.")
@click.option("--self-test", is_flag=True, help="Try the kit on its own broken drivers.")
@verb
def conform(
    session: Session,
    store: str | None,
    select: str | None,
    level: str,
    seed: int | None,
    targets: str | None,
    waive: Path | None,
    harness: str | None,
    listing: bool,
    explain: str | None,
    self_test: bool,
) -> None:
    """Hold STORE to the contract.

    Exits with 0 if the level is reached, 1 if not, 3 if the kit failed.

    It stores images of its own, and deletes them again. Those of others are left alone.
    """
    if listing or explain:
        _show_cases(select, explain, _targets(targets) if targets else [])
    elif self_test:
        session.exit_code = _self_test(session, select, seed, targets)
    else:
        wanted = _targets(targets) if targets else []
        kind = _harness(session, store, harness)
        session.exit_code = _run(session, kind, wanted, (level, select, seed, waive))


def _harness(session: Session, store: str | None, harness: str | None) -> type[Harness]:
    from storekit.testing.settings import harness_named, harness_of_store  # noqa: PLC0415

    if harness is not None:
        # A command looks where it stands, as python -m does.
        sys.path.insert(0, "")
        return harness_named(harness)
    if store is None:
        raise click.UsageError("name a store, or a harness")
    return harness_of_store(store, session.config)


def _run(
    session: Session,
    kind: type[Harness],
    targets: Sequence[tuple[str, Path]],
    how: tuple[str, str | None, int | None, Path | None],
) -> int:
    from storekit.testing import reports, runner, waivers  # noqa: PLC0415

    level, select, seed, waive = how
    known = {item.id for item in runner.cases_for(kind)}
    signed = waivers.read_waivers(waive, known) if waive else {}
    try:
        report = runner.run(kind, level=level, select=select, seed=seed, waivers=signed)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a harness raises
        said = str(error) if isinstance(error, StoreError | OSError) else repr(error)
        session.note(f"no store to hold to the contract: {said}")
        return EXIT_ENVIRONMENT
    _write(report, targets)
    if session.json:
        output.document(reports.document(report))
    else:
        colour = sys.stdout.isatty() and not output.no_colour()
        output.line(reports.as_text(report, colour=colour).rstrip())
    return report.exit_code


def _write(report: Report, targets: Sequence[tuple[str, Path]]) -> None:
    from storekit.testing.reports import WRITERS  # noqa: PLC0415

    for name, path in targets:
        path.write_text(WRITERS[name](report), encoding="utf-8")


def _show_cases(
    select: str | None, explain: str | None, targets: Sequence[tuple[str, Path]]
) -> None:
    from storekit.testing import reports, runner  # noqa: PLC0415
    from storekit.testing.case import Level  # noqa: PLC0415

    whole = runner.cases_for()
    if explain is not None:
        if explain.upper() not in whole:
            raise ConfigurationError(
                f"there is no case {explain!r}", hint="storekit conform --list shows them"
            )
        output.line(reports.explain(whole[explain.upper()]))
        return
    chosen = runner.selected(whole, Level.HARD, select)
    for name, path in targets:
        if name != "md":
            raise click.BadParameter("the contract is written as md= only")
        path.write_text(reports.contract_page(chosen), encoding="utf-8")
    for item in chosen:
        output.line(f"{item.id}  {item.counted_at!s:7} {item.sentence}")


def _self_test(session: Session, select: str | None, seed: int | None, targets: str | None) -> int:
    from storekit.testing.reports import kill_matrix  # noqa: PLC0415
    from storekit.testing.zoo import self_test  # noqa: PLC0415

    found = self_test(select=select, seed=seed)
    for name, path in [part.split("=", 1) for part in (targets or "").split(",") if "=" in part]:
        if name != "md":
            raise click.BadParameter("the self-test writes md= only")
        Path(path).write_text(kill_matrix(found), encoding="utf-8")
    dead = sum(kill.dead for kill in found.kills)
    if session.json:
        output.document({"kills": len(found.kills), "dead": dead, "problems": found.problems})
        return found.exit_code
    for problem in found.problems:
        output.line(problem)
    cases = len(found.references[0].results)
    output.line(
        f"{cases} cases on {len(found.references)} reference drivers; {dead} of"
        f" {len(found.kills)} kills; {len(found.problems)} problems; {found.seconds:.1f} s"
    )
    return found.exit_code
