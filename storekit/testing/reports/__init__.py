"""Reports: one result, written for a terminal, a program, a build server or a reader."""

from __future__ import annotations

from storekit.testing.reports.badge import as_badge
from storekit.testing.reports.contract import contract_page, explain
from storekit.testing.reports.document import as_json, document, schema
from storekit.testing.reports.html import as_html
from storekit.testing.reports.junit import as_junit
from storekit.testing.reports.markdown import as_markdown, kill_matrix
from storekit.testing.reports.terminal import as_text

__all__ = [
    "WRITERS",
    "as_badge",
    "as_html",
    "as_json",
    "as_junit",
    "as_markdown",
    "as_text",
    "contract_page",
    "document",
    "explain",
    "kill_matrix",
    "schema",
]

WRITERS = {
    "json": as_json,
    "junit": as_junit,
    "md": as_markdown,
    "html": as_html,
    "badge": as_badge,
}
"""What makes a text of a report, by the name of its format."""
