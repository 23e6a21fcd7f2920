"""``storekit conform``: exit codes, files and words."""

import json

import jsonschema
import pytest
from click.testing import CliRunner

from storekit.cli.conform import conform
from storekit.errors import ConfigurationError
from storekit.testing.reports import WRITERS, schema

REFERENCE = "storekit.testing.reference:MemoryHarness"


def invoke(*arguments):
    return CliRunner().invoke(conform, list(arguments))


def test_a_store_that_passes_exits_0_and_shows_the_seed():
    result = invoke("--harness", REFERENCE, "-k", "SIZ", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert "seed 7" in result.output
    assert "Only SIZ was run" in result.output


def test_a_configured_store_is_held_to_the_contract(tmp_path):
    (tmp_path / "images").mkdir()
    config = tmp_path / "storekit.toml"
    config.write_text(f'[stores.here]\ndriver = "filesystem"\npath = "{tmp_path / "images"}"\n')
    result = invoke("here", "--config", str(config), "-k", "SIZ-01,SIZ-02")
    assert result.exit_code == 0, result.output
    assert "2 PASS" in result.output
    missing = invoke("nosuch", "--config", str(config))
    assert isinstance(missing.exception, ConfigurationError)


def test_a_failure_exits_1(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text(
        "from storekit.testing.reference import MemoryHarness, MemoryDriver\n"
        "class Broken(MemoryHarness):\n"
        "    class driver(MemoryDriver):\n"
        "        def get_size(self, location, context=None):\n"
        "            return 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = invoke("--harness", "broken:Broken", "-k", "SIZ-01")
    assert result.exit_code == 1
    assert "SIZ-01" in result.output
    assert "expected" in result.output


def test_a_harness_without_a_store_exits_3(tmp_path, monkeypatch):
    (tmp_path / "nowhere.py").write_text(
        "from storekit.errors import Unavailable\n"
        "from storekit.testing import Harness\n"
        "class Nowhere(Harness):\n"
        "    def make_store(self, **overrides):\n"
        "        raise Unavailable('there is no backend')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = invoke("--harness", "nowhere:Nowhere", "-k", "SIZ-01")
    assert result.exit_code == 3
    assert "there is no backend" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--level", "extreme"],
        ["--harness", REFERENCE, "--report", "pdf=x"],
        ["--harness", REFERENCE, "--report", "json"],
    ],
)
def test_wrong_usage_exits_2(arguments):
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["--harness", "nosuch:Harness"], ["--harness", REFERENCE, "-k", "ZZZ"], ["--explain", "ZZZ"]],
)
def test_what_is_not_there_is_a_configuration_error(arguments):
    # The command as a whole makes exit code 2 of it.
    assert isinstance(invoke(*arguments).exception, ConfigurationError)


def test_reports_are_written_in_every_form(tmp_path):
    files = {name: tmp_path / f"report.{name}" for name in WRITERS}
    targets = ",".join(f"{name}={path}" for name, path in files.items())
    result = invoke("--harness", REFERENCE, "-k", "SIZ-01", "--report", targets)
    assert result.exit_code == 0
    jsonschema.validate(json.loads(files["json"].read_text()), schema())
    assert files["junit"].read_text().startswith("<testsuite")
    assert files["md"].read_text().startswith("# Conformance of")
    assert files["html"].read_text().startswith("<!doctype html>")
    assert "not judged" in files["badge"].read_text()


def test_json_prints_the_document():
    result = invoke("--harness", REFERENCE, "-k", "SIZ-01", "--json")
    jsonschema.validate(json.loads(result.output), schema())


def test_a_waiver_is_applied(tmp_path):
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(
        '[[waiver]]\nid = "SIZ-01"\nreason = "r"\nlink = "l"\nexpires = 2999-01-01\n'
    )
    result = invoke("--harness", REFERENCE, "-k", "SIZ-01", "--waive", str(waivers))
    assert result.exit_code == 1  # it passes, so the waiver must go


def test_cases_are_listed_and_explained():
    listed = invoke("--list", "-k", "SIZ").output.splitlines()
    assert [line.split()[0] for line in listed] == [f"SIZ-0{n}" for n in range(1, 6)]
    explained = invoke("--explain", "add-14").output
    assert explained.startswith("ADD-14")
    assert "Mistakes:" in explained


def test_the_contract_is_written_as_a_page(tmp_path):
    page = tmp_path / "contract.md"
    assert invoke("--list", "--report", f"md={page}").exit_code == 0
    assert "## ADD: adding" in page.read_text()
    assert invoke("--list", "--report", f"json={page}").exit_code == 2


def test_the_self_test_is_a_command_and_writes_the_kill_matrix(tmp_path):
    page = tmp_path / "kills.md"
    result = invoke("--self-test", "-k", "SIZ-01,SIZ-02", "--report", f"md={page}")
    assert result.exit_code == 0, result.output
    assert "0 problems" in result.output
    assert "SizeIsStr" in page.read_text()


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Write a harness whose driver does something in get_size, and give its name."""

    def written(what):
        (tmp_path / "broken.py").write_text(
            "import ctypes, os, sys\n"
            "from storekit.errors import BackendError\n"
            "from storekit.testing.reference import MemoryHarness, MemoryDriver\n"
            "class Broken(MemoryHarness):\n"
            "    class driver(MemoryDriver):\n"
            "        def get_size(self, location, context=None):\n"
            f"            {what}\n"
            "            return super().get_size(location, context)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        return "broken:Broken"

    return written


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        ("ctypes.CDLL(None)._exit(0)", "with exit code 0 in SIZ-01"),
        ("ctypes.string_at(0)", "by SIGSEGV in SIZ-01"),
    ],
)
def test_a_process_that_ends_without_a_report_exits_3_and_says_in_which_case(broken, ends, how):
    result = invoke("--harness", broken(ends), "-k", "SIZ-01", "--json")
    assert result.exit_code == 3
    error = json.loads(result.output)
    assert (error["error"], error["hint"]) == ("NoReport", None)
    assert f"ended {how}" in error["message"]


def test_a_harness_that_ends_the_process_when_it_is_imported_exits_3(tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("import os\nos._exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = invoke("--harness", "leaving:Harness")
    assert result.exit_code == 3
    assert "outside of a case" in result.output


def test_what_a_driver_prints_goes_to_standard_error(broken, capfd):
    prints = "print('printed'); os.write(1, b'written'); os.system('echo by a shell')"
    result = invoke("--harness", broken(prints), "-k", "SIZ-01", "--json")
    assert result.exit_code == 0
    jsonschema.validate(json.loads(result.stdout), schema())
    out, err = capfd.readouterr()
    assert out == ""
    for what in ("printed", "written", "by a shell"):
        assert what in err


def test_evidence_that_is_in_no_utf8_is_written_in_every_form(broken, tmp_path):
    raises = "raise BackendError('half a pair: \\ud800, an escape: \\x1b[31m')"
    files = {name: tmp_path / f"a.{name}" for name in ("json", "junit", "md", "html", "badge")}
    targets = ",".join(f"{name}={path}" for name, path in files.items())
    result = invoke("--harness", broken(raises), "-k", "SIZ-01", "--report", targets)
    assert result.exit_code == 1
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text + result.output
        assert ("half a pair" in text) is (name != "badge")
    assert "half a pair: \\ud800, an escape: \\x1b[31m" in files["md"].read_text()


def test_a_report_that_cannot_be_written_is_found_out_before_the_run(tmp_path):
    for path in (tmp_path / "nosuch" / "report.md", tmp_path):
        result = invoke("--harness", "nosuch:Harness", "--report", f"md={path}")
        assert result.exit_code == 2
        assert str(path) in result.output
    one = tmp_path / "report"
    result = invoke("--harness", REFERENCE, "--report", f"md={one},json={one}")
    assert result.exit_code == 2
    assert "named twice" in result.output
    assert not one.exists()


def test_a_report_that_can_no_longer_be_written_leaves_the_others(broken, tmp_path):
    away, kept = tmp_path / "away" / "report.md", tmp_path / "report.json"
    away.parent.mkdir()
    removes = f"os.path.exists({str(away.parent)!r}) and os.rmdir({str(away.parent)!r})"
    targets = f"md={away},json={kept}"
    result = invoke("--harness", broken(removes), "-k", "SIZ-01", "--report", targets)
    assert result.exit_code == 3
    assert "report.md" in result.stderr
    assert "1 PASS" in result.stdout
    assert json.loads(kept.read_text())["counts"]["PASS"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["fast", "--harness", REFERENCE],
        ["--self-test", "--harness", REFERENCE],
        ["--list", "fast"],
        ["--list", "--self-test"],
        ["--explain", "ADD-14", "--waive", "waivers.toml"],
    ],
)
def test_nothing_that_is_given_is_passed_over(arguments):
    assert invoke(*arguments).exit_code == 2


def test_what_a_harness_says_wrongly_is_a_configuration_error(tmp_path, monkeypatch):
    (tmp_path / "slip.py").write_text(
        "from storekit.testing.reference import MemoryHarness\n"
        "class Slip(MemoryHarness):\n"
        "    absent = {'endpont': 'no wire'}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    error = invoke("--harness", "slip:Slip", "-k", "SIZ-01").exception
    assert isinstance(error, ConfigurationError)
    assert "harness Slip: absent names 'endpont'" in str(error)


def test_the_end_of_a_run_is_explained():
    assert "a harness that is torn down" in invoke("--explain", "RUN-01").output
