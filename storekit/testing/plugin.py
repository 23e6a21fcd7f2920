"""The pytest plug-in: ``-p storekit.testing.plugin --storekit-config conform.toml``.

Without its option it collects nothing; it only gives the outcomes of conformance tests their own
letters and words. The option names a TOML file with one table, and its cases are tests in that
file: ``conform.toml::ADD-14`` is one of them. The file's directory is looked in for the harness::

    [conform]
    harness = "acme.conformance:AcmeHarness"   # or: store = "fast", of the file config = "..."
    level = "robust"
    select = "ADD,GET"
    seed = 1
    waive = "waivers.toml"
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from storekit.errors import ConfigurationError
from storekit.testing.case import Case
from storekit.testing.pytest_shell import OUTCOME, Failed, KitError, judge, judge_end
from storekit.testing.result import Outcome
from storekit.testing.session import Session
from storekit.testing.settings import Settings, read_settings

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_collection",
    "pytest_report_teststatus",
    "pytest_terminal_summary",
]

_SETTINGS = pytest.StashKey[Settings]()
_LETTERS = {
    Outcome.REFUSED.value: "r",
    Outcome.NOT_APPLICABLE.value: "n",
    Outcome.NOT_RUN.value: "N",
    Outcome.WAIVED.value: "w",
    Outcome.OVER.value: "o",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("storekit", "the storekit conformance kit")
    group.addoption(
        "--storekit-config",
        metavar="FILE",
        help="run the conformance cases that the table [conform] of this TOML file describes",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Have the file of the option collected, whatever else is."""
    config = session.config
    file = _file_of(config)
    if file is None:
        return
    if config.getoption("importmode") == "prepend" and str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))  # as for a test module
    try:
        config.stash[_SETTINGS] = read_settings(file)
        config.stash[_SETTINGS].cases()
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    start = config.invocation_params.dir
    if not any((start / arg.partition("::")[0]).resolve() == file for arg in config.args):
        config.args.append(str(file))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Find the cases in the file of the option."""
    settings = parent.config.stash.get(_SETTINGS, None)
    if settings is None or file_path.resolve() != _file_of(parent.config):
        return None
    found: pytest.Collector = _Contract.from_parent(parent, path=file_path, settings=settings)
    return found


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Give what was not run its own letter and word."""
    if report.when != "call":  # also the report of a collection, which has no properties
        return None
    outcome = dict(report.user_properties).get(OUTCOME)
    if not isinstance(outcome, str) or outcome not in _LETTERS:
        return None
    return outcome, _LETTERS[outcome], outcome


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401 - pytest's own, private
    """List what was not run, and why."""
    shown = [
        (report.nodeid, report.longrepr)
        for outcome in _LETTERS
        for report in terminalreporter.stats.get(outcome, ())
    ]
    if not shown:
        return
    terminalreporter.section("storekit conformance: not green")
    for nodeid, longrepr in shown:
        why = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        terminalreporter.write_line(f"{nodeid}  {why.removeprefix('Skipped: ')}")


def _file_of(config: pytest.Config) -> Path | None:
    file = config.getoption("--storekit-config")
    return (config.invocation_params.dir / file).resolve() if file else None


class _Contract(pytest.File):
    """The cases of one configuration."""

    def __init__(self, *, settings: Settings, **more: Any) -> None:  # noqa: ANN401 - pytest's
        super().__init__(**more)
        self._settings = settings
        self._session: Session | None = None

    def collect(self) -> list[pytest.Item]:
        """Make a test of each case."""
        cases = sorted(self._settings.cases(), key=lambda item: item.last)
        return [_CaseItem.from_parent(self, name=item.id, case=item) for item in cases]

    def running(self) -> Session:
        """Set the harness up at the first case."""
        if self._session is None:
            settings = self._settings
            self._session = Session(
                settings.harness,
                seed=settings.seed,
                waivers=settings.waivers,
                chosen={item.id for item in settings.cases()},
            ).__enter__()
        return self._session

    def teardown(self) -> None:
        """Tear the harness down after the last case."""
        session, self._session = self._session, None
        if session is not None:
            judge_end(session)


class _CaseItem(pytest.Item):
    """One case."""

    parent: _Contract

    def __init__(self, *, case: Case, **more: Any) -> None:  # noqa: ANN401 - pytest's
        super().__init__(**more)
        self._case = case

    def runtest(self) -> None:
        session = self.parent.running()
        result = session.run(self._case)
        judge(result, lambda name, value: self.user_properties.append((name, value)), session.seed)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:  # noqa: ANN401 - pytest's
        if isinstance(excinfo.value, Failed | KitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self._case.id}: {self._case.sentence}"
