"""In pytest every case is a test, and only PASS is passed."""

import re

import pytest

pytest_plugins = ["pytester"]

MODULE = """
from storekit.capabilities import Capability
from storekit.testing import ConformanceTests, Harness
from storekit.testing.reference import MemoryHarness, MemoryDriver


class Driver(MemoryDriver):
    capabilities = MemoryDriver.capabilities & ~Capability.ACL & ~Capability.CAPACITY

    def get_size(self, location, context=None):
        return super().get_size(location, context) + {wrong}


class Acme(MemoryHarness):
    driver = Driver
    denied_backend = Harness.denied_backend
    absent = {{"in_use": "nobody uses it"}}


class TestAcme(ConformanceTests):
    harness = Acme
    select = "SIZ-01,SIZ-02,CAP-01,DEL-07,DEL-08"
    seed = 1
"""

CONFIG = """
[conform]
harness = "acme:Acme"
select = "SIZ-01,SIZ-02,CAP-01,DEL-07,DEL-08"
seed = 1
"""


def counts(result):
    # pytest's own parser knows letters only, and two of our words have others.
    summary = [line for line in result.outlines if re.fullmatch(r"=*.* in [0-9.]+s.*", line)][-1]
    return {name: int(number) for number, name in re.findall(r"(\d+) ([A-Za-z/-]+)", summary)}


@pytest.fixture
def project(pytester):
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.syspathinsert()
    pytester.makepyfile(test_acme=MODULE.format(wrong=0), acme=MODULE.format(wrong=0))
    return pytester


SHOWN = {"passed": 2, "REFUSED": 1, "N/A": 1, "NOT-RUN": 1}


def test_a_subclass_gives_one_test_for_each_case_and_outcomes_of_their_own(project):
    result = project.runpytest_subprocess("-v", "-p", "storekit.testing.plugin", "test_acme.py")
    result.stdout.fnmatch_lines(
        [
            "*test_acme.py::TestAcme::test_conformance[[]SIZ-01[]] PASSED*",
            "*test_acme.py::TestAcme::test_conformance[[]DEL-07[]] N/A*",
            "*test_acme.py::TestAcme::test_conformance[[]DEL-08[]] NOT-RUN*",
            "*test_acme.py::TestAcme::test_conformance[[]CAP-01[]] REFUSED*",
            "*storekit conformance: not green*",
            "*DEL-07*nobody uses it*",
        ]
    )
    assert counts(result) == SHOWN
    assert result.ret == 0


def test_without_the_plugin_nothing_that_was_not_run_counts_as_passed(project):
    result = project.runpytest_subprocess("test_acme.py", "-rs", "-p", "no:storekit.testing.plugin")
    assert counts(result) == {"passed": 2, "skipped": 3}
    result.stdout.fnmatch_lines(["*NOT-RUN: the harness offers no denied_backend*"])


def test_a_failure_shows_the_evidence(project):
    project.makepyfile(test_acme=MODULE.format(wrong=1))
    result = project.runpytest_subprocess("-p", "storekit.testing.plugin", "test_acme.py")
    result.stdout.fnmatch_lines(
        ["*SIZ-01 FAIL:*", "*expected*get_size: 1*", "*call*add(*", "*seed*1*"]
    )
    assert counts(result)["failed"] == 1
    assert result.ret == 1


def test_it_works_under_xdist(project):
    result = project.runpytest_subprocess(
        "-n", "2", "-p", "storekit.testing.plugin", "test_acme.py"
    )
    assert counts(result) == SHOWN


def test_the_plugin_is_inert_without_its_option(project):
    project.makepyfile(test_other="def test_it():\n    pass\n")
    result = project.runpytest_subprocess("-p", "storekit.testing.plugin", "test_other.py")
    assert counts(result) == {"passed": 1}
    assert "storekit" not in result.stdout.str().split("collected")[1]


def test_the_option_runs_the_cases_of_a_file_and_no_others(project):
    project.makefile(".toml", conform=CONFIG)
    project.mkdir("empty")
    result = project.runpytest_subprocess(
        "-v", "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml", "empty"
    )
    result.stdout.fnmatch_lines(["*SIZ-01 PASSED*", "*DEL-08 NOT-RUN*"])
    assert counts(result) == SHOWN
    assert result.ret == 0


def test_the_option_works_under_xdist(project):
    project.makefile(".toml", conform=CONFIG)
    project.mkdir("empty")
    result = project.runpytest_subprocess(
        "-n", "2", "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml", "empty"
    )
    assert counts(result) == SHOWN


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[other]", "conform"),
        ("[conform]\ncolour = 1", "colour|conform"),
        ("[conform]", "neither harness nor store"),
        ('[conform]\nharness = "acme:Acme"\nstore = "fast"', "one of them"),
        ('[conform]\nharness = "nosuch:Thing"', "nosuch"),
        ('[conform]\nharness = "acme:Driver"', "no Harness"),
        ('[conform]\nharness = "acme:Acme"\nlevel = "x"', "level"),
    ],
)
def test_a_wrong_file_is_a_usage_error(project, text, what):
    project.makefile(".toml", conform=text)
    result = project.runpytest_subprocess(
        "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([f".*({what}).*"])


def test_a_module_that_cannot_be_imported_is_shown_as_that(project):
    project.makepyfile(test_broken="import nothing_like_this")
    done = project.runpytest_subprocess("-p", "storekit.testing.plugin")
    done.stdout.fnmatch_lines(["*No module named 'nothing_like_this'*"])
    assert "AttributeError" not in done.stdout.str() + done.stderr.str()


LEAVING = """
import os

from storekit.testing import Case, ConformanceTests, Level, Registry, case
from storekit.testing.reference import MemoryHarness, MemoryDriver

mine = Registry()


def declared(number):
    more = {"sentence": "It MUST be so.", "why": "A test.", "mistakes": "None.", "into": mine}
    return case(f"PRF-9{number}", **more)


@declared(1)
def leaves_an_image(context):
    context.store.store.add(context.new_id(), b"past the journal")


@declared(2)
def makes_it_leave(context):
    context.store.get_size(context.image(b"x"))


@declared(3)
def passes(context):
    pass


class Driver(MemoryDriver):
    def get_size(self, location, context=None):
        os._exit(0)


class Acme(MemoryHarness):
    driver = Driver
    cases = mine

    def teardown(self):
        super().teardown()
        raise RuntimeError("it does not stop")


class TestAcme(ConformanceTests):
    harness = Acme
    select = "PRF-9"
"""


def in_a_class(project):
    project.makepyfile(test_acme=LEAVING)
    return project.runpytest_subprocess("-p", "storekit.testing.plugin", "test_acme.py")


def by_the_option(project):
    project.makepyfile(acme=LEAVING)
    project.makefile(".toml", conform='[conform]\nharness = "acme:Acme"\nselect = "PRF-9"')
    return project.runpytest_subprocess(
        "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml", "conform.toml"
    )


@pytest.mark.parametrize("way", [in_a_class, by_the_option])
def test_it_judges_as_run_does(project, way):
    result = way(project)
    result.stdout.fnmatch_lines_random(
        [
            "*PRF-91 FAIL:*",
            "*got*prf-91-*",
            "*PRF-92 FAIL:*",
            "*os._exit(0) was called*",
            "*RUN-01 ERROR:*",
            "*it does not stop*",
        ]
    )
    found = counts(result)
    assert (found["passed"], found["failed"], found["error"]) == (1, 2, 1)


def test_one_case_of_the_file_can_be_chosen_by_its_name(project):
    project.makefile(".toml", conform=CONFIG)
    result = project.runpytest_subprocess(
        *("-v", "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml"),
        "conform.toml::SIZ-02",
    )
    result.stdout.fnmatch_lines(["conform.toml::SIZ-02 PASSED*"])
    assert counts(result) == {"passed": 1}


def test_the_cases_of_the_file_run_once_beside_the_tests_of_its_directory(project):
    project.makefile(".toml", conform='[conform]\nharness = "acme:Acme"\nselect = "SIZ-02"')
    project.makepyfile(test_other="def test_it():\n    pass\n", test_acme="")
    result = project.runpytest_subprocess(
        "-p", "storekit.testing.plugin", "--storekit-config", "conform.toml"
    )
    assert counts(result) == {"passed": 2}


def test_the_harness_is_found_beside_the_file(pytester):
    pytester.makepyfile(**{"sub/acme": MODULE.format(wrong=0)})
    (pytester.path / "sub" / "conform.toml").write_text(CONFIG)
    result = pytester.runpytest_subprocess(
        *("-p", "storekit.testing.plugin", "--storekit-config", "sub/conform.toml"),
        "sub/conform.toml::SIZ-01",
    )
    assert counts(result) == {"passed": 1}


def test_a_harness_that_is_wrong_is_an_error_before_any_case(project):
    project.makepyfile(test_acme=MODULE.format(wrong=0).replace('"in_use"', '"in_usage"'))
    result = project.runpytest_subprocess("-p", "storekit.testing.plugin", "test_acme.py")
    result.stdout.fnmatch_lines(["*harness Acme: absent names 'in_usage'*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED
