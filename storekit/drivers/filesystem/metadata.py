"""Metadata: what the operator's file says of each directory."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from storekit.errors import ConfigurationError

__all__ = ["Metadata"]


class Metadata:
    """The objects of the operator's metadata file.

    Args:
        path: The file, or None if there is none. A JSON object, or a list of them, each with the
            texts ``id`` and ``mountpoint`` and whatever else the embedder should know.

    Raises:
        ConfigurationError: The file is not like that.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._entries: list[tuple[Path, dict[str, object]]] = []
        if path is None:
            return
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"metadata_file: {path} cannot be read: {error}") from error
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            if not _is_entry(entry):
                raise ConfigurationError(
                    f"metadata_file: {path} holds something else than objects with the texts id "
                    "and mountpoint"
                )
            self._entries.append((Path(entry["mountpoint"]), entry))

    def of(self, directory: Path) -> dict[str, object]:
        """Give the object whose mount point is nearest above a directory, or is it.

        Args:
            directory: A data directory.

        Returns:
            A fresh copy; empty if none is above it.
        """
        above = [directory, *directory.parents]
        found = [(above.index(mount), entry) for mount, entry in self._entries if mount in above]
        if not found:
            return {}
        return copy.deepcopy(min(found, key=lambda pair: pair[0])[1])


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), str) for key in ("id", "mountpoint")
    )
