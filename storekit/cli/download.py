"""The file of ``get -o``: whole under its name, or not there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from storekit.cli.streams import about

__all__ = ["written_aside"]


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name when the block ends well.

    It is written in the same directory, synced, and renamed; if the block raises, it is removed,
    and what had the name before still has it. A symbolic link stays and its target is replaced.
    A device or a pipe, which cannot be replaced, is written directly.

    Args:
        path: The name.

    Returns:
        The file, open for writing.

    Raises:
        OSError: It cannot be written; names the path.
    """
    target = Path(os.path.realpath(path))
    # Known before the file exists, so that it is removed whenever a signal comes.
    aside = target.with_name(f".storekit-{uuid.uuid4().hex}.part")
    with about(path, instead_of=str(aside)):
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        try:
            with aside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    # Not every file system can sync a directory, and not every directory may be read: then the
    # name may be lost in a power failure, but never holds half an image.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
