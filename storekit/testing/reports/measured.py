"""What a probe found, for a terminal and for programs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import json
import platform
import shutil
from dataclasses import replace
from importlib import resources
from itertools import groupby
from typing import Any

from storekit.testing.probing.measured import Probed, Verdict
from storekit.testing.probing.measures.ids import short
from storekit.testing.probing.measures.sizes import shown
from storekit.testing.reports.markup import visible

__all__ = ["PROBE_VERSION", "probe_document", "probe_schema", "probe_text"]

PROBE_VERSION = 1
"""The version of the document. A change that a reader would trip over makes it one more."""

_HEADER = ("what", "declared", "measured", "verdict", "why")
_STYLES = {
    Verdict.OK: "green",
    Verdict.OVER: "blue",
    Verdict.LIE: "bold red",
    Verdict.NOTED: "dim",
    Verdict.NOT_MEASURED: "yellow",
    Verdict.ERROR: "bold white on red",
}


def probe_document(found: Probed) -> dict[str, Any]:
    """Make a document for programs.

    Args:
        found: What the probe found.
    """
    return {
        "format": "storekit-probe",
        "version": PROBE_VERSION,
        "storekit": importlib.metadata.version("storekit"),
        "python": platform.python_version(),
        "harness": found.harness,
        "store": found.store,
        "driver": found.driver,
        "seed": found.seed,
        "limit": found.limit,
        "started": found.started.isoformat(),
        "seconds": round(found.seconds, 3),
        "exit_code": found.exit_code,
        "lies": list(found.lies),
        "left": list(found.left),
        "counts": {verdict.value: count for verdict, count in found.counts.items()},
        "rows": [
            {
                "name": row.name,
                "declared": row.declared,
                "measured": row.measured,
                "verdict": row.verdict.value,
                "why": row.why,
                "numbers": dict(row.numbers),
            }
            for row in found.rows
        ],
    }


def probe_schema() -> dict[str, Any]:
    """Give the JSON Schema of the document."""
    text = resources.files("storekit.testing").joinpath("probe.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def probe_text(found: Probed, *, colour: bool = False, width: int | None = None) -> str:
    """Write a table of what is declared and what was measured, then what it amounts to.

    Args:
        found: What the probe found.
        colour: Whether to use colours and boxes, if rich is installed.
        width: Columns; those of the terminal by default.
    """
    columns = width or shutil.get_terminal_size().columns
    rich = colour and importlib.util.find_spec("rich") is not None
    table = _rich(found, columns) if rich else _plain(found)
    return "\n".join([*table, "", *_summary(found), ""])


def _cells(found: Probed) -> list[tuple[str, ...]]:
    """Give the lines of the table: of what was not measured for one reason, one line."""
    cells: list[tuple[str, ...]] = []
    for (verdict, why), rows in groupby(found.rows, lambda row: (row.verdict, row.why)):
        several = list(rows)
        if verdict is Verdict.NOT_MEASURED and len(several) > 1:
            name = f"{several[0].name}, and {len(several) - 1} more"
            several = [replace(several[0], name=name)]
        cells += [(r.name, r.declared, r.measured, verdict.value, visible(why)) for r in several]
    return cells


def _rich(found: Probed, columns: int) -> list[str]:
    from rich.console import Console  # noqa: PLC0415 - the command's extra, not the kit's
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    whole = {"what", "verdict"}
    # A column of its own for the reason would be empty in most rows, and narrow.
    table = Table(*(Column(name, no_wrap=name in whole) for name in _HEADER[:-1]))
    for name, declared, measured, verdict, why in _cells(found):
        styled = Text(verdict, style=_STYLES[Verdict(verdict)])
        found_so = f"{measured}: {why}" if why else measured
        table.add_row(Text(name), Text(declared), Text(found_so), styled)
    text = io.StringIO()
    Console(file=text, force_terminal=True, width=columns).print(table)
    return text.getvalue().splitlines()


def _plain(found: Probed) -> list[str]:
    rows = [_HEADER, *_cells(found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _summary(found: Probed) -> list[str]:
    counts = "  ".join(f"{count} {verdict.value}" for verdict, count in found.counts.items())
    what = f"{found.driver}: {len(found.rows)} measurements, {found.seconds:.1f} s"
    lines = [f"{what}, seed {found.seed}, limit {shown(found.limit)}", counts]
    failed = [row for row in found.rows if row.verdict is Verdict.ERROR]
    if failed:
        lines += [f"The backend failed at {row.name}: {visible(row.why)}" for row in failed]
    if found.lies:
        lines.append(f"More is declared than was measured: {', '.join(found.lies)}.")
    elif not failed:
        lines.append("Nothing that was measured is less than declared.")
    if found.left:
        lines.append(f"Left behind, could not be removed: {', '.join(map(short, found.left))}.")
    return lines
