"""The report for programs: JSON, with a versioned schema."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from importlib import resources
from typing import Any

from storekit.testing.result import Report, Result

__all__ = ["VERSION", "as_json", "document", "schema"]

VERSION = 1
"""The version of the schema. A change that a reader would trip over makes it one more."""


def document(report: Report) -> dict[str, Any]:
    """Make a document of a report.

    Args:
        report: The report.

    Returns:
        What ``conformance.schema.json`` describes.
    """
    reached = report.reached if report.selection is None else None
    return {
        "format": "storekit-conformance",
        "version": VERSION,
        "storekit": importlib.metadata.version("storekit"),
        "python": platform.python_version(),
        "harness": report.harness,
        "store": report.store,
        "driver": report.driver,
        "declared": list(report.declared),
        "limits": dict(report.limits),
        "level": str(report.level),
        "reached": None if reached is None else str(reached),
        "exit_code": report.exit_code,
        "seed": report.seed,
        "selection": report.selection,
        "started": report.started.isoformat(),
        "seconds": round(report.seconds, 3),
        "left": list(report.left),
        "counts": {outcome.value: count for outcome, count in report.counts.items()},
        "results": [_entry(result) for result in report.results],
    }


def as_json(report: Report) -> str:
    """Write a report as JSON.

    Args:
        report: The report.
    """
    return json.dumps(document(report), indent=2, ensure_ascii=True) + "\n"


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the document."""
    text = (
        resources.files("storekit.testing").joinpath("conformance.schema.json").read_text("utf-8")
    )
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _entry(result: Result) -> dict[str, Any]:
    return {
        "id": result.case.id,
        "level": str(result.case.counted_at),
        "sentence": result.case.sentence,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "expected": result.expected,
        "actual": result.actual,
        "calls": list(result.calls),
        "trace": result.trace,
        "notes": dict(result.notes),
        "seconds": round(result.seconds, 3),
    }
