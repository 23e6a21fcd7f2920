"""What goes wrong, as one line or one JSON document, and as an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass

import click

from storekit.cli.output import one_line
from storekit.cli.signals import Stopped
from storekit.errors import ConfigurationError, StoreError

__all__ = ["EXIT_FAILED", "EXIT_PIPE", "EXIT_USAGE", "Failure", "Misuse", "report"]

EXIT_FAILED = 1
"""The operation failed."""
EXIT_USAGE = 2
"""The command line or the configuration is wrong."""
EXIT_PIPE = 141
"""Nobody reads standard output any more: what a shell makes of SIGPIPE."""


class Misuse(click.UsageError):
    """The command line asks for what cannot be.

    Args:
        message: What is wrong.
        hint: The next step.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Failure:
    """An error as the command shows it."""

    error: str
    """Its kind: the name of a storekit error, of a builtin one, or ``UsageError``."""
    message: str
    """What happened, on one line."""
    hint: str | None
    """The next step, where there is one."""
    exit_code: int
    """What the command exits with."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe an exception.

        Args:
            error: Whatever escaped from a verb.
        """
        kind = type(error).__name__
        if isinstance(error, StoreError):
            code = EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
            text = str(error)
            if error.hint:
                text = text.removesuffix(f" ({error.hint})")
            return cls(kind, one_line(text), error.hint and one_line(error.hint), code)
        if isinstance(error, click.ClickException):
            return cls("UsageError", _message_of(error), _hint_of(error), EXIT_USAGE)
        if isinstance(error, Stopped):
            return cls(kind, str(error), None, error.exit_code)
        if isinstance(error, OSError):
            what = error.strerror or str(error) or kind
            where = f"{_name_of(error.filename)}: " if error.filename is not None else ""
            return cls(kind, one_line(where + what), None, EXIT_FAILED)
        text = f"{kind}: {error}" if str(error) else kind
        return cls(kind, one_line(text), "--debug shows where", EXIT_FAILED)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell on standard error what went wrong.

    Args:
        error: Whatever escaped from a verb.
        as_json: One JSON document instead of a line for people.
        debug: The traceback before it.

    Returns:
        The exit code.
    """
    failure = Failure.of(error)
    # Nobody may be reading standard error either.
    with suppress(OSError):
        if debug:
            traceback.print_exception(error)
        if as_json:
            fields = {"error": failure.error, "message": failure.message, "hint": failure.hint}
            line = json.dumps(fields)
        else:
            line = f"storekit: {failure}"
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    return failure.exit_code


def _name_of(filename: object) -> str:
    return os.fsdecode(filename) if isinstance(filename, bytes) else str(filename)


def _message_of(error: click.ClickException) -> str:
    text = one_line(error.format_message()).removesuffix(".")
    # click begins with a capital, storekit's own messages do not.
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _hint_of(error: click.ClickException) -> str | None:
    if isinstance(error, Misuse) and error.hint:
        return one_line(error.hint)
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see {context.command_path} --help" if context else "see storekit --help"
