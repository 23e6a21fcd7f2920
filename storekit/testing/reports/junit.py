"""The report for build servers: JUnit's XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from storekit.testing.result import Outcome, Report, Result

__all__ = ["as_junit"]

# XML 1.0, 2.2: what no document may hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(report: Report) -> str:
    """Write a report as JUnit XML. What is not PASS, FAIL or ERROR is skipped there.

    Args:
        report: The report.
    """
    counts = report.counts
    skipped = sum(
        count
        for outcome, count in counts.items()
        if outcome not in {Outcome.PASS, Outcome.FAIL, Outcome.ERROR}
    )
    suite = ET.Element(
        "testsuite",
        name=f"storekit conformance: {report.harness}",
        tests=str(len(report.results)),
        failures=str(counts[Outcome.FAIL]),
        errors=str(counts[Outcome.ERROR]),
        skipped=str(skipped),
        time=f"{report.seconds:.3f}",
        timestamp=report.started.isoformat(timespec="seconds"),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("seed", report.seed), ("level", report.level), ("driver", report.driver)):
        ET.SubElement(properties, "property", name=name, value=str(value))
    for result in report.results:
        suite.append(_testcase(report, result))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=False) + "\n"


def _testcase(report: Report, result: Result) -> ET.Element:
    name = f"{result.case.id} {result.case.sentence}"
    element = ET.Element(
        "testcase",
        classname=f"{report.harness}.{result.case.group}",
        name=name,
        time=f"{result.seconds:.3f}",
    )
    if result.outcome is Outcome.PASS:
        return element
    tag = {Outcome.FAIL: "failure", Outcome.ERROR: "error"}.get(result.outcome, "skipped")
    message = _clean(f"{result.outcome.value}: {result.reason}")
    child = ET.SubElement(element, tag, message=message)
    if tag != "skipped":
        child.text = _clean("\n".join([*result.calls, "", result.trace]))
    return element


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
