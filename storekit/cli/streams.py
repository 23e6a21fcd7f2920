"""The standard streams, whatever is on the other side of them; and whose error it is."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from storekit.errors import StoreError

__all__ = ["about", "prepare", "release", "standard_input"]

_STDIN = 0


def prepare() -> None:
    """Make the streams fit for any text.

    Raises:
        OSError: Standard output is closed.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the very end
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    # A stranger may have named an image with what this terminal cannot show.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def about(name: str | os.PathLike[str], *, instead_of: object = None) -> Iterator[None]:
    """Let the system errors of a block name what they are about, where they do not.

    Args:
        name: A path, or words such as ``standard input``.
        instead_of: A name that nobody knows, to be replaced.
    """
    try:
        yield
    except OSError as error:
        known = error.filename is not None and error.filename != instead_of
        if isinstance(error, StoreError | BrokenPipeError) or error.errno is None or known:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(name)) from error


def standard_input() -> io.FileIO:
    """Open standard input for bytes, without a buffer. Closing it leaves the stream open.

    Raises:
        OSError: It is closed.
    """
    if sys.stdin is None:
        # Some file of ours may have its number by now.
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard input")
    return open(_STDIN, "rb", buffering=0, closefd=False)


def release() -> None:
    """Drop what nobody takes, so that the interpreter does not fail on it at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
