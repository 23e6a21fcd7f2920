"""Distributions that come, go, conflict, and lack a library."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from frame.distributions import GOOD, TESTS, Site, pip_install, pip_wheel

NEEDS_LIBRARY = "import libcrate\n" + GOOD


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")


def test_two_distributions_with_one_driver_are_a_conflict_that_names_both(site):
    site.install_good("acme", "crate")
    site.install_good("bolt-and-co", "crate", version="2.0")
    site.install_good("other", "box")
    seen = site.seen("crate", "box")
    tried = seen["tried"]["crate"]
    assert tried["error"][0] == "DriverConflict"
    assert "acme" in tried["text"]
    assert "bolt-and-co" in tried["text"]
    assert "uninstall" in tried["hint"]
    listed = seen["installed"]["crate"]
    assert not listed["loadable"]
    assert listed["distribution"] == "acme, bolt-and-co"
    assert listed["version"] == "1.0, 2.0"
    assert seen["tried"]["box"] == {"loaded": "Box"}


def test_two_distributions_that_point_to_the_same_class_are_a_conflict_too(site):
    site.install_good("acme", "crate")
    site.install("bolt", {"crate": "acme_driver:Crate"}, {})
    tried = site.seen("crate")["tried"]["crate"]
    assert tried["error"][0] == "DriverConflict"
    assert "acme, bolt" in tried["text"]


def test_a_distribution_that_takes_the_name_of_one_of_storekits_own_drivers_is_a_conflict(site):
    site.install_good("acme", "filesystem")
    tried = site.seen("filesystem")["tried"]["filesystem"]
    assert tried["error"][0] == "DriverConflict"
    assert "acme, storekit" in tried["text"]


def test_one_distribution_that_is_found_twice_is_no_conflict(site, tmp_path):
    site.install_good("acme", "crate")
    again = Site(tmp_path / "again")
    again.install_good("acme", "crate")
    path = f"{site.path}:{again.path}"
    assert site.seen("crate", PYTHONPATH=path)["tried"]["crate"] == {"loaded": "Crate"}


def test_a_missing_library_names_the_extra_that_brings_it(site):
    source = NEEDS_LIBRARY.format(name="Crate", scheme="crate")
    site.install(
        "acme",
        {"crate": "acme:Crate"},
        {"acme": source},
        extras={"docs": ["sphinx"], "crate": ["libcrate"]},
    )
    seen = site.seen("crate")
    assert seen["tried"]["crate"]["error"][0] == "DriverLoadError"
    assert seen["tried"]["crate"]["hint"] == "pip install 'acme[crate]'"
    listed = seen["installed"]["crate"]
    assert not listed["loadable"]
    assert "No module named 'libcrate'" in listed["reason"]
    assert listed["hint"] == "pip install 'acme[crate]'"


def test_a_missing_library_without_an_extra_is_named_itself(site):
    source = NEEDS_LIBRARY.format(name="Crate", scheme="crate")
    site.install("acme", {"crate": "acme:Crate"}, {"acme": source}, extras={"docs": ["sphinx"]})
    hint = site.seen()["installed"]["crate"]["hint"]
    assert "libcrate" in hint
    assert "[" not in hint


def test_an_extra_that_brings_nothing_is_not_offered_as_the_remedy(site):
    # As for a library that is on no package index: storekit's own rbd.
    source = NEEDS_LIBRARY.format(name="Crate", scheme="crate")
    site.install("acme", {"crate": "acme:Crate"}, {"acme": source}, extras={"crate": []})
    hint = site.seen()["installed"]["crate"]["hint"]
    assert "pip install" not in hint
    assert "libcrate" in hint


def test_an_extra_is_found_under_its_normalized_name(site):
    # A wheel's metadata has extras normalized: https://peps.python.org/pep-0685/
    source = NEEDS_LIBRARY.format(name="Crate", scheme="crate")
    site.install(
        "acme", {"big_crate": "acme:Crate"}, {"acme": source}, extras={"big-crate": ["libcrate>=2"]}
    )
    assert site.seen()["installed"]["big_crate"]["hint"] == "pip install 'acme[big-crate]'"


def test_a_driver_whose_own_module_is_missing_is_not_blamed_on_an_extra(site):
    site.install("acme", {"crate": "acme_driver:Crate"}, {}, extras={"crate": ["libcrate"]})
    listed = site.seen()["installed"]["crate"]
    assert "acme_driver" in listed["reason"]
    assert "[crate]" not in (listed["hint"] or "")


def test_a_library_that_is_installed_later_is_found_by_the_same_process(site):
    source = NEEDS_LIBRARY.format(name="Crate", scheme="crate")
    site.install("acme", {"crate": "acme:Crate"}, {"acme": source}, extras={"crate": ["libcrate"]})
    code = """
before = seen("crate")["tried"]
open(sys.argv[1] + "/libcrate.py", "w").close()
print(json.dumps([before, seen("crate")["tried"]]))
"""
    before, after = site.run(code, str(site.path))
    assert before["crate"]["error"][0] == "DriverLoadError"
    assert after["crate"] == {"loaded": "Crate"}


def test_a_driver_that_is_installed_after_the_first_look_up_is_found(site):
    code = """
from pathlib import Path
from frame.distributions import Site
site = Site(Path(sys.argv[1]))
before = seen("crate")
site.install_good("acme", "crate")
between = seen("crate")
site.uninstall("acme")
print(json.dumps([before, between, seen("crate")]))
"""
    site.install_good("other", "box")
    before, between, after = site.run(code, str(site.path))
    for gone in (before, after):
        assert gone["tried"]["crate"]["error"][0] == "DriverNotFound"
        assert "crate" not in gone["installed"]
    assert between["tried"]["crate"] == {"loaded": "Crate"}
    assert between["installed"]["crate"]["loadable"]


# stevedore writes no cache for an interpreter below /tmp: the check is on the name of it.
STEVEDORE = """
sys.executable = "/usr/bin/python3"
for module in [name for name in sys.modules if name.startswith("stevedore")]:
    del sys.modules[module]
import stevedore
print(json.dumps(stevedore.ExtensionManager("storekit.drivers").names()))
"""


def test_a_cache_file_of_an_earlier_process_hides_no_driver_and_keeps_none(site, tmp_path):
    cache = tmp_path / "cache"
    site.install_good("acme", "crate")
    entry_points = site.path / "acme-1.0.dist-info" / "entry_points.txt"
    assert "crate" in site.run(STEVEDORE, XDG_CACHE_HOME=str(cache))
    assert list((cache / "python-entrypoints").iterdir())

    # Reinstalled within the resolution of the times that the cache compares.
    at = entry_points.stat().st_mtime_ns
    entry_points.write_text("[storekit.drivers]\nbox = acme_driver:Crate\n")
    os.utime(entry_points, ns=(at, at))
    stale = site.run(STEVEDORE, XDG_CACHE_HOME=str(cache))
    assert "crate" in stale
    assert "box" not in stale

    seen = site.seen("crate", "box", XDG_CACHE_HOME=str(cache))
    assert seen["tried"]["crate"]["error"][0] == "DriverNotFound"
    assert seen["tried"]["box"] == {"loaded": "Crate"}
    assert "crate" not in seen["installed"]
    assert "box" in seen["installed"]


def test_the_listing_tells_every_driver_once_in_the_order_of_the_names(site):
    site.install_good("acme", "zebra")
    site.install_good("bolt", "ant")
    names = list(site.seen()["installed"])
    assert names == sorted(names)
    assert {"ant", "filesystem", "zebra"} <= set(names)


def test_pip_installs_a_driver_and_pip_takes_it_away_while_a_process_runs(tmp_path):
    wheel = pip_wheel(TESTS / "downstream", tmp_path)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    code = """
import subprocess
pip, venv, wheel = sys.argv[1:]
def run(*arguments):
    subprocess.run(
        [pip, "-m", "pip", "--quiet", "--python", venv, *arguments],
        env={"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=True,
    )
before = seen("crate")
run("install", "--no-deps", wheel)
between = seen("crate")
run("uninstall", "--yes", "storekit-crate")
print(json.dumps([before, between, seen("crate")]))
"""
    libraries = os.pathsep.join([sysconfig.get_path("purelib"), str(TESTS.parent)])
    python = venv / "bin" / "python"
    before, between, after = Site(tmp_path / "none").run(
        code, sys.executable, str(python), str(wheel), python=python, PYTHONPATH=libraries
    )
    for gone in (before, after):
        assert gone["tried"]["crate"]["error"][0] == "DriverNotFound"
        assert "crate" not in gone["installed"]
    assert between["tried"]["crate"] == {"loaded": "CrateDriver"}
    listed = between["installed"]["crate"]
    assert (listed["distribution"], listed["version"]) == ("storekit-crate", "2.1")
    assert listed["loadable"]


def test_storekits_own_drivers_name_their_extras_where_their_libraries_are_missing(site, tmp_path):
    """In an environment with what storekit itself needs, and nothing else."""
    tree = tmp_path / "storekit-tree"
    ignored = shutil.ignore_patterns(".*", "build", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(TESTS.parent, tree, ignore=ignored)
    pip_install(tree, site.path)
    (storekit,) = importlib.metadata.distributions(path=[str(site.path)])
    for distribution in requirements_of(storekit):
        link(distribution, site.path)
    installed = site.seen(bare=True)["installed"]
    assert {driver["distribution"] for driver in installed.values()} == {"storekit"}
    assert installed["filesystem"]["loadable"]
    for name, driver in installed.items():
        if libraries_of(storekit, name):
            assert not driver["loadable"]
            assert "No module named" in driver["reason"]
            assert driver["hint"] == f"pip install 'storekit[{name}]'"
        elif not driver["loadable"]:
            assert "pip install" not in driver["hint"]
    assert libraries_of(storekit, "http")
    assert "http" in installed


def libraries_of(distribution, extra):
    """The requirements that an extra brings."""
    needs = [Requirement(text) for text in distribution.requires]
    return [need for need in needs if need.marker and need.marker.evaluate({"extra": extra})]


def requirements_of(distribution):
    """The installed distributions that one needs, and those that they need."""
    found = {}
    waiting = [distribution]
    while waiting:
        for text in waiting.pop().requires or ():
            need = Requirement(text)
            if need.name not in found and (not need.marker or need.marker.evaluate({"extra": ""})):
                found[need.name] = importlib.metadata.distribution(need.name)
                waiting.append(found[need.name])
    return found.values()


def link(distribution, target):
    """Make a distribution importable from a directory, by links to where it is."""
    for file in distribution.files:
        top = Path(file.parts[0])
        if top.name != ".." and not (target / top).exists():
            (target / top).symlink_to(distribution.locate_file(top))
