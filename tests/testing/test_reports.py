"""A report says the same in every form."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from storekit.testing import Outcome, Over, Registry, cases_for, run
from storekit.testing.reference import MemoryHarness
from storekit.testing.reports import (
    as_json,
    as_junit,
    as_markdown,
    as_text,
    contract_page,
    explain,
    kill_matrix,
    schema,
)
from storekit.testing.zoo import self_test
from tests.testing.made_up import made_up, passes


def over(context):
    raise Over("it works all the same")


def fails(context):
    context.same(context.store.get_size(context.image(b"evidence")), 9, "the size | of \x00 it")


@pytest.fixture(scope="module")
def report():
    cases = [
        made_up("ADD-01", passes),
        made_up("ADD-02", fails),
        made_up("ADD-03", over),
        made_up("ADD-04", lambda context: context.nosuch),
    ]
    return run(MemoryHarness, cases=Registry(cases), seed=7)


def test_the_json_is_what_its_schema_says(report):
    document = json.loads(as_json(report))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(document, schema())
    assert document["counts"]["FAIL"] == 1
    assert document["exit_code"] == 3
    assert document["reached"] is None
    failed = document["results"][1]
    assert failed["expected"] == "the size | of \x00 it: 9"
    assert failed["calls"][0].startswith("add(")


def test_a_report_of_a_selection_claims_no_level(report):
    document = json.loads(as_json(replace(report, selection="ADD")))
    jsonschema.validate(document, schema())
    assert document["reached"] is None


def test_the_schema_refuses_what_is_not_a_report(report):
    document = json.loads(as_json(report))
    document["results"][0]["outcome"] = "GREEN"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_junit_counts_only_passed_as_passed(report):
    suite = ET.fromstring(as_junit(report))
    numbers = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert [child.tag for case in suite.iter("testcase") for child in case] == [
        "failure",
        "skipped",
        "error",
    ]


def test_markdown_shows_every_case_and_the_evidence_of_the_failed(report):
    text = as_markdown(report)
    for case_id in ("ADD-01", "ADD-02", "ADD-03", "ADD-04"):
        assert f"| {case_id} |" in text
    assert "## ADD-02" in text
    assert "No level is reached." in text
    assert "the size \\| of" in text


@pytest.mark.parametrize("colour", [False, True])
def test_the_terminal_shows_what_is_not_green_and_the_seed(report, colour):
    text = as_text(report, colour=colour, width=120)
    assert "seed 7" in text
    assert "ADD-02" in text
    assert "it works all the same" in text
    assert "\nADD-01" not in text
    assert ("\x1b[" in text) is colour


def test_the_contract_page_and_the_explanation_come_from_the_case():
    whole = cases_for()
    page = contract_page(whole)
    for item in whole:
        assert f"| {item.id} |" in page
        assert item.sentence in page
    text = explain(whole["ADD-14"])
    for part in (whole["ADD-14"].sentence, whole["ADD-14"].why, whole["ADD-14"].mistakes, "ADD"):
        assert part in text


def test_the_kill_matrix_names_mutant_case_and_what_is_wrong():
    found = self_test(select="SIZ-01,CAP-01")
    page = kill_matrix(found)
    assert "| SIZ-01 | SizeIsStr | Store | get_size gives a text. | yes |" in page
    assert "| CAP-01 | FreeAboveTotal |" in page
    assert {o.outcome for report in found.references for o in report.results} == {Outcome.PASS}
