"""Results on standard output: aligned text for people, one JSON document for programs."""

from __future__ import annotations

import enum
import json
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

import click

from storekit.location import Location

__all__ = [
    "bytes_of",
    "document",
    "facts",
    "human_size",
    "line",
    "no_colour",
    "one_line",
    "printable",
    "table",
    "when",
]

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024


def no_colour() -> bool:
    """Tell whether the environment asks for plain text (``NO_COLOR``, a dumb terminal)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def line(text: str) -> None:
    """Print a line for people.

    Args:
        text: The line; its colours are dropped where there is no terminal.
    """
    click.echo(text)


def document(value: object) -> None:
    """Print one JSON document.

    Args:
        value: A value of storekit, or mappings and sequences of such.
    """
    click.echo(json.dumps(_plain(value), indent=2))


def facts(pairs: Mapping[str, str]) -> None:
    """Print names and values, aligned.

    Args:
        pairs: The values by their names.
    """
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        line(f"{click.style(name.ljust(width), bold=True)}  {value}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows in aligned columns; without rows nothing at all.

    Args:
        header: The names of the columns.
        rows: The cells.
        right: The columns that are aligned to the right.
    """
    if not rows:
        return
    widths = [max(map(_width, column)) for column in zip(header, *rows, strict=True)]
    for index, row in enumerate((header, *rows)):
        cells = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - _width(cell))
            cells.append(space + cell if column in right else cell + space)
        text = "  ".join(cells).rstrip()
        line(click.style(text, bold=True) if index == 0 else text)


def human_size(size: int) -> str:
    """Write a number of bytes with a unit: ``20.7 MiB``.

    Args:
        size: Bytes.
    """
    if size < _STEP:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= _STEP
        # What would be rounded to 1024 is one of the next unit.
        if amount < _STEP - 0.05 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f} {unit}"


def bytes_of(size: int) -> str:
    """Write a number of bytes both ways: ``20.7 MiB (21692416 bytes)``.

    Args:
        size: Bytes.
    """
    exact = "1 byte" if size == 1 else f"{size} bytes"
    return exact if size < _STEP else f"{human_size(size)} ({exact})"


def when(moment: datetime | None) -> str:
    """Write a time in UTC, to the second; ``-`` if it is not known.

    Args:
        moment: An aware time, or None.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "-"


def printable(text: str) -> str:
    """Replace what would move the cursor or cannot be written by its escape.

    Args:
        text: Anything, for example a name that a stranger chose.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """Make one printable line of a text.

    Args:
        text: Anything.
    """
    return printable(" ".join(text.split()))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def _plain(value: object) -> object:
    """Make what JSON knows of a value."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Flag):
        return [flag.name for flag in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Location) else value


def _key(key: object) -> str:
    return str(key.name) if isinstance(key, enum.Flag) else str(key)
