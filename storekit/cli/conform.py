"""The verb that holds a store to the contract: conform."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from storekit.cli import output
from storekit.cli.apart import NoReport, Order, run_apart
from storekit.cli.failures import Misuse
from storekit.cli.options import store_names, verb
from storekit.cli.session import Session
from storekit.errors import ConfigurationError

__all__ = ["EXIT_ENVIRONMENT", "check_target", "conform"]

_LEVELS = ["core", "robust", "hard"]
EXIT_ENVIRONMENT = 3
"""The kit or its environment failed."""


def _targets(text: str) -> list[tuple[str, Path]]:
    """Read ``json=FILE,md=FILE``."""
    from storekit.testing.reports import WRITERS  # noqa: PLC0415 - the kit, when it is asked for

    found: list[tuple[str, Path]] = []
    for part in text.split(","):
        name, equals, path = part.partition("=")
        if name not in WRITERS or not (equals and path):
            raise click.BadParameter(f"{part!r} is not FORMAT=FILE with {', '.join(WRITERS)}")
        if any(Path(path) == other for _, other in found):
            raise click.BadParameter(f"{path} is named twice")
        found.append((name, Path(path)))
    for _, file in found:
        _check_writable(file)
    return found


def _check_writable(path: Path) -> None:
    """Find out before a long run whether a report can be written."""
    there = path.exists()
    if there and not (path.is_file() or path.is_dir()):
        return  # a pipe waits for its reader
    try:
        path.open("ab").close()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from None
    if not there:
        path.unlink()


@click.command()
@click.argument("store", required=False, shell_complete=store_names)
@click.option("-k", "select", metavar="IDS", help="Only cases whose ids begin so: ADD,GET-01.")
@click.option("--level", type=click.Choice(_LEVELS), default="core", show_default=True)
@click.option("--seed", type=int, metavar="N", help="Make the choices of an earlier run again.")
@click.option(
    "--report",
    "targets",
    metavar="FORMAT=FILE,..",
    help="Write json=, junit=, md=, html= or badge= too.",
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
    wanted = _targets(targets) if targets else []
    if listing + bool(explain) + self_test > 1:
        raise Misuse("--list, --explain and --self-test do not go together")
    if listing or explain or self_test:
        if store or harness or waive:
            raise Misuse("--list, --explain and --self-test take no store, harness or waivers")
        if self_test:
            session.exit_code = _self_test(session, select, seed, wanted)
        else:
            _show_cases(select, explain, wanted)
        return
    check_target(store, harness)
    order = Order(
        store=store,
        harness=harness,
        config=session.config,
        level=level,
        select=select,
        seed=seed,
        waive=waive,
        formats=tuple(name for name, _ in wanted),
        json=session.json,
        colour=sys.stdout.isatty() and not output.no_colour(),
        width=shutil.get_terminal_size().columns,
        debug=session.debug,
    )
    session.exit_code = _run(session, order, wanted)


def check_target(store: str | None, harness: str | None) -> None:
    """Check that a command is given one thing to work on.

    Args:
        store: The name of a store.
        harness: ``module:Class``.

    Raises:
        click.UsageError: Neither is named, or both are.
    """
    if (store is None) is (harness is None):
        what = "name a store, or a harness"
        raise Misuse(what if store is None else f"{what}, and not both")


def _run(session: Session, order: Order, targets: Sequence[tuple[str, Path]]) -> int:
    from storekit.testing.reports.markup import visible  # noqa: PLC0415

    try:
        answer = run_apart(order)
    except NoReport as error:
        if session.debug or not session.json:
            click.echo(visible(error.detail), err=True, nl=False)
        _tell(session, error)
        return EXIT_ENVIRONMENT
    code = answer.exit_code
    for name, path in targets:
        try:
            _write(path, answer.files[name])
        except OSError as error:  # the disk may be full by now; what was judged is still shown
            _tell(session, error)
            code = EXIT_ENVIRONMENT
    output.line(answer.shown)
    return code


def _tell(session: Session, error: Exception) -> None:
    """Tell on standard error why the exit code is that of the environment."""
    session.note(str(error))
    if session.json:
        fields = {"error": type(error).__name__, "message": output.one_line(str(error))}
        click.echo(json.dumps({**fields, "hint": None}), err=True)


def _write(path: Path, text: str) -> None:
    # What a backend answers may be in no UTF-8: a lone surrogate.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _show_cases(
    select: str | None, explain: str | None, targets: Sequence[tuple[str, Path]]
) -> None:
    from storekit.testing import reports, runner  # noqa: PLC0415
    from storekit.testing.case import Level  # noqa: PLC0415
    from storekit.testing.verdicts import ENDING  # noqa: PLC0415

    whole = runner.cases_for()
    if explain is not None:
        whole.add(ENDING)
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
        _write(path, reports.contract_page(chosen))
    for item in chosen:
        output.line(f"{item.id}  {item.counted_at!s:7} {item.sentence}")


def _self_test(
    session: Session, select: str | None, seed: int | None, targets: Sequence[tuple[str, Path]]
) -> int:
    from storekit.testing.reports import kill_matrix  # noqa: PLC0415
    from storekit.testing.zoo import self_test  # noqa: PLC0415

    if any(name != "md" for name, _ in targets):
        raise click.BadParameter("the self-test writes md= only")
    found = self_test(select=select, seed=seed)
    for _, path in targets:
        _write(path, kill_matrix(found))
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
