"""The command as a whole: its verbs, and one run of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class, shell_complete

from storekit.cli import check, conform, images, new_driver, overview, probe, streams, upkeep
from storekit.cli.failures import EXIT_PIPE, EXIT_USAGE, report
from storekit.cli.options import verb, with_common
from storekit.cli.output import document, line, no_colour
from storekit.cli.session import Session
from storekit.cli.signals import Stopped, stopped_in
from storekit.cli.streams import about

__all__ = ["run", "storekit"]

_NAME = "storekit"
_COMPLETE = "_STOREKIT_COMPLETE"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="storekit", message="storekit %(version)s")
@with_common
@click.pass_context
def storekit(context: click.Context) -> None:
    """Keep disk images in storage backends."""
    context.ensure_object(Session)
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(EXIT_USAGE)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@verb
def completion(session: Session, shell: str) -> None:
    """Print the script that makes SHELL complete this command."""
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - click has these three
    script = complete(storekit, {}, _NAME, _COMPLETE).source()
    if session.json:
        document({"shell": shell, "script": script})
    else:
        line(script)


for _command in (
    images.add,
    images.get,
    images.info,
    images.ls,
    images.rm,
    images.cp,
    images.verify,
    upkeep.leftovers,
    upkeep.reclaim,
    overview.stores,
    overview.drivers,
    check.check,
    conform.conform,
    probe.probe,
    new_driver.new_driver,
    completion,
):
    storekit.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run the command once.

    Args:
        arguments: What follows the command's name.

    Returns:
        The exit code.
    """
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        return shell_complete(storekit, {}, _NAME, _COMPLETE, instruction)
    try:
        streams.prepare()
        # Whatever else the verbs write or read, they name.
        with about("standard output"):
            code = _invoked(arguments)
            sys.stdout.flush()
    except BrokenPipeError:
        code = EXIT_PIPE
    except (Exception, Stopped) as error:  # noqa: BLE001 - here it is shown
        # Also for errors in the command line itself, when the session is not filled yet.
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        shown = stopped_in(error) or error
        code = report(shown, as_json="--json" in options, debug="--debug" in options)
    streams.release()
    return code


def _invoked(arguments: Sequence[str]) -> int:
    colour = False if no_colour() else None
    try:
        with storekit.make_context(_NAME, list(arguments), color=colour) as context:
            storekit.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return 0
