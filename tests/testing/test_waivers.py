"""A waiver is signed, dated and strict."""

from datetime import date

import pytest

from storekit.errors import ConfigurationError
from storekit.testing import Outcome, Registry, Result, read_waivers, run
from storekit.testing.reference import MemoryHarness
from storekit.testing.waivers import apply_waivers
from tests.testing.made_up import made_up, passes

WAIVER = """
[[waiver]]
id = "ADD-01"
reason = "the server loses bytes"
link = "https://bugs.example.net/7"
expires = 2026-06-30
"""


def waivers(tmp_path, text=WAIVER):
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    return read_waivers(file, {"ADD-01", "GET-01"})


def judged(tmp_path, outcome, day="2026-06-30"):
    result = Result(case=made_up("ADD-01", passes), outcome=outcome, reason="why")
    return apply_waivers(result, waivers(tmp_path), date.fromisoformat(day))


def test_a_waived_failure_shows_reason_link_and_date(tmp_path):
    result = judged(tmp_path, Outcome.FAIL)
    assert result.outcome is Outcome.WAIVED
    for part in ("the server loses bytes", "https://bugs.example.net/7", "2026-06-30", "why"):
        assert part in result.reason


def test_a_waiver_that_is_over_waives_nothing(tmp_path):
    result = judged(tmp_path, Outcome.FAIL, "2026-07-01")
    assert result.outcome is Outcome.FAIL
    assert "2026-06-30" in result.reason


def test_a_waived_case_that_passes_is_a_fail(tmp_path):
    assert judged(tmp_path, Outcome.PASS).outcome is Outcome.FAIL


@pytest.mark.parametrize("outcome", [Outcome.NOT_RUN, Outcome.NOT_APPLICABLE, Outcome.ERROR])
def test_nothing_else_is_waived(tmp_path, outcome):
    assert judged(tmp_path, outcome).outcome is outcome


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (WAIVER.replace("ADD-01", "XXX-99"), "XXX-99"),
        (WAIVER.replace('reason = "the server loses bytes"', ""), "reason"),
        (WAIVER.replace('"the server loses bytes"', '""'), "reason"),
        (WAIVER.replace("2026-06-30", '"soon"'), "expires"),
        (WAIVER + WAIVER, "twice"),
        ("waiver = 3", "waiver"),
        ("[other]", "waiver"),
        ("not toml", "waivers.toml"),
    ],
)
def test_a_waiver_that_is_not_complete_is_refused(tmp_path, text, what):
    with pytest.raises(ConfigurationError, match=what):
        waivers(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="nosuch"):
        read_waivers(tmp_path / "nosuch.toml", set())


def test_the_runner_applies_them(tmp_path):
    signed = waivers(tmp_path, WAIVER.replace("2026-06-30", "2999-12-31"))
    fails = made_up("ADD-01", lambda context: context.same(1, 2, "it"))
    report = run(MemoryHarness, cases=Registry([fails]), waivers=signed)
    assert report["ADD-01"].outcome is Outcome.WAIVED
    assert report.exit_code == 0
