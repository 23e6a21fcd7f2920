"""``storekit conform``: exit codes, files and words."""

import json

import jsonschema
import pytest
from click.testing import CliRunner

from storekit.cli.conform import conform
from storekit.errors import ConfigurationError
from storekit.testing.reports import schema

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
    files = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "md")}
    targets = ",".join(f"{name}={path}" for name, path in files.items())
    result = invoke("--harness", REFERENCE, "-k", "SIZ-01", "--report", targets)
    assert result.exit_code == 0
    jsonschema.validate(json.loads(files["json"].read_text()), schema())
    assert files["junit"].read_text().startswith("<testsuite")
    assert files["md"].read_text().startswith("# Conformance of")


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
