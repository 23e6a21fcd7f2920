"""The options of the filesystem driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from storekit.driver import DriverOptions

__all__ = ["Options"]

_OCTAL = re.compile(r"(0o)?[0-7]{3,4}", re.ASCII)
_ALL_BITS = 0o777


def _mode(value: object) -> int:
    if isinstance(value, str) and _OCTAL.fullmatch(value):
        value = int(value, 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _ALL_BITS:
        raise ValueError('write the mode in octal, as text: "0640"')
    return value


Mode = Annotated[int, BeforeValidator(_mode)]


class Options(DriverOptions):
    """One directory, or several with weights, and how images are kept in them."""

    path: Path | None = Field(None, description="Directory that holds the images.")
    paths: dict[Path, int] = Field(
        default_factory=dict,
        description="Several directories, each with its weight: the highest is filled first, "
        "among equals the one with the most free space.",
    )
    create: bool = Field(
        default=False,
        description="Make a missing directory. Without it a missing one is an error, "
        "for it may be a mount that is not there.",
    )
    durable: bool = Field(
        default=True,
        description="Sync every image and its directory to the disk before add returns.",
    )
    thin: bool = Field(
        default=True, description="Let runs of zeros, 4 KiB or longer, take no space."
    )
    file_mode: Mode = Field(0o640, description='Mode of an image\'s file, octal text: "0640".')
    dir_mode: Mode = Field(0o750, description="Mode of a directory that create makes.")
    metadata_file: Path | None = Field(
        None,
        description="JSON file: an object with id and mountpoint, or a list of them. Every image "
        "has the object of its directory as metadata.",
    )
    watch: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether calls have the deadline io_timeout: auto is for network and FUSE "
        "filesystems only.",
    )

    @model_validator(mode="after")
    def _has_directories(self) -> Self:
        if self.path is None and not self.paths:
            raise ValueError("neither path nor paths is given: give one of them")
        if self.path is not None and self.paths:
            raise ValueError("both path and paths are given: give one of them")
        return self

    @property
    def directories(self) -> dict[Path, int]:
        """Every directory with its weight, in the operator's order."""
        return self.paths if self.path is None else {self.path: 1}
