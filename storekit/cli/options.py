"""The options that several verbs share, and how their values are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from storekit.cli.session import Session
from storekit.digests import expectation_of
from storekit.errors import InvalidArgument, StoreError
from storekit.stores import Stores

__all__ = [
    "duration",
    "expected",
    "store_names",
    "verb",
    "with_common",
    "with_progress",
    "with_store",
]

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., object])

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """Read a duration: ``45s``, ``30m``, ``24h``, ``2d``, or ``0``.

    Args:
        text: What the user wrote.

    Raises:
        click.BadParameter: It is no duration.
    """
    match = re.fullmatch(r"([0-9]+)([smhd])|0", text, re.ASCII)
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration: 45s, 30m, 24h, 2d, or 0")
    try:
        return timedelta(**{_UNITS[match[2] or "s"]: int(match[1] or 0)})
    except (OverflowError, ValueError):
        raise click.BadParameter(f"{text!r} is too long") from None


def store_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a store.

    Args:
        ctx: Holds the session, if ``--config`` was given.
        incomplete: What the user wrote of it.
    """
    session = ctx.find_object(Session) or Session()
    try:
        names = list(Stores.from_config(session.config))
    except StoreError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _expectation(text: str) -> tuple[str, str]:
    algorithm, colon, digest = text.partition(":")
    if not colon:
        raise click.BadParameter(f"{text!r} is not ALG:HEX, such as sha256:0f3c...")
    try:
        return next(iter(expectation_of({algorithm.lower(): digest}).items()))
    except InvalidArgument as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise click.BadParameter(error.message + hint) from None


def with_common(function: F) -> F:
    """Add the options that every verb takes. They are kept in the session.

    Args:
        function: The function of a verb, or of the whole command.
    """
    for option in (
        _kept("--debug", is_flag=True, help="Show tracebacks and storekit's log."),
        _kept("--json", is_flag=True, help="Print one JSON document."),
        _kept(
            "--config",
            metavar="F",
            type=click.Path(path_type=Path),
            help="Configuration file [default: $STOREKIT_CONFIG, or the user's].",
        ),
    ):
        function = option(function)
    return function


def verb(function: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Make the function of a verb: give it the session, and the options that every verb takes.

    Args:
        function: Takes the session, then what its own options give.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        context = click.get_current_context()
        session = context.ensure_object(Session)
        function(session, *args, **kwargs)
        if session.exit_code:
            context.exit(session.exit_code)

    return with_common(run)


def with_progress(function: F) -> F:
    """Add ``--progress/--no-progress``.

    Args:
        function: The function of a verb.
    """
    return _kept(
        "--progress/--no-progress",
        default=None,
        help="Draw a progress bar, or none [default: on a terminal].",
    )(function)


def with_store(function: F) -> F:
    """Add ``--store`` to a verb that takes a location.

    Args:
        function: The function of a verb.
    """
    return click.option(
        "--store",
        metavar="S",
        shell_complete=store_names,
        help="The store that has it, if several may.",
    )(function)


def expected(*, required: bool = False) -> Callable[[F], F]:
    """Make the option ``--expect``, which may be given several times.

    Args:
        required: Whether it must be given.

    Returns:
        The decorator; the verb gets a dict of digests by algorithm.
    """
    return click.option(
        "--expect",
        metavar="ALG:HEX",
        type=_expectation,
        multiple=True,
        required=required,
        callback=_merged,
        help="A digest that the image must have, such as sha256:0f3c...",
    )


def _kept(*names: str, **settings: object) -> Callable[[F], F]:
    """Make an option whose value goes into the session, if it was given."""

    def keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
        source = ctx.get_parameter_source(str(param.name))
        if source is click.core.ParameterSource.COMMANDLINE:
            setattr(ctx.ensure_object(Session), str(param.name), value)

    return click.option(*names, expose_value=False, callback=keep, **settings)  # type: ignore[arg-type]  # handed on


def _merged(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for algorithm, digest in values:
        if wanted.setdefault(algorithm, digest) != digest:
            raise click.BadParameter(f"two different {algorithm} digests", ctx, param)
    return wanted
