"""What the package is from outside: its names, its weight, and what its archives hold."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import storekit

ROOT = Path(__file__).parent.parent

EXPORTED = [
    "BackendError",
    "Capability",
    "Capacity",
    "ChunkReader",
    "ConfigurationError",
    "Content",
    "DataError",
    "DigestMismatch",
    "Driver",
    "DriverConflict",
    "DriverInvalid",
    "DriverLoadError",
    "DriverNotFound",
    "DriverOptions",
    "Duplicate",
    "Forbidden",
    "InUse",
    "InstalledDriver",
    "InvalidArgument",
    "InvalidLocation",
    "Leftover",
    "Limits",
    "Listing",
    "Location",
    "NotAuthenticated",
    "NotFound",
    "OutcomeUnknown",
    "RangeNotSatisfiable",
    "RequestContext",
    "SizeMismatch",
    "Source",
    "StorageFull",
    "Store",
    "StoreClosed",
    "StoreError",
    "StoredImage",
    "Stores",
    "Timeout",
    "Unavailable",
    "UnknownScheme",
    "Unsupported",
    "drivers_installed",
    "open_store",
]

# What only drivers, the command and the conformance kit need.
NOT_AT_IMPORT = {
    "boto3",
    "botocore",
    "cinderclient",
    "click",
    "hypothesis",
    "keystoneauth1",
    "os_brick",
    "pydantic",
    "pymongo",
    "pyVmomi",
    "pytest",
    "rados",
    "rbd",
    "requests",
    "rich",
    "swiftclient",
    "urllib3",
}


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_exported_names():
    assert sorted(storekit.__all__) == sorted(EXPORTED)
    assert dir(storekit) == sorted(EXPORTED)


@pytest.mark.parametrize("name", EXPORTED)
def test_every_exported_name_is_there_and_documented(name):
    assert getattr(storekit, name).__doc__.strip()


def test_a_name_that_is_not_exported_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Glance'"):
        _ = storekit.Glance


def test_importing_storekit_imports_no_library_that_only_a_part_of_it_needs():
    loaded = json.loads(
        run_python("import json, sys, storekit; print(json.dumps(sorted(sys.modules)))")
    )
    assert "storekit.stores" in loaded
    assert NOT_AT_IMPORT & {name.partition(".")[0] for name in loaded} == set()
    assert [name for name in loaded if name.startswith("storekit.drivers.")] == []


def test_importing_storekit_takes_less_than_100_milliseconds(tmp_path):
    # Time of the processor: what else the machine is busy with does not count.
    timed = (
        "import time; begin = time.process_time(); import storekit;"
        "print(time.process_time() - begin)"
    )
    # A user's interpreter has its bytecode; the first run here writes it.
    cached = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    run_python(timed, **cached)
    fastest = min(float(run_python(timed, **cached)) for _ in range(9))
    assert fastest < 0.1


def is_made(name):
    """Whether a file or folder of this name is made by a tool, and no source."""
    return name.startswith(".") or name in {"__pycache__", "build"} or name.endswith(".egg-info")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """An sdist, and a wheel that was built from it, in their own copy of the tree."""
    work = tmp_path_factory.mktemp("build")
    tree = work / "tree"
    shutil.copytree(
        ROOT,
        tree,
        ignore=shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info"),
    )
    sdist = build("sdist", tree, work)
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    wheel = build("wheel", work / sdist.name.removesuffix(".tar.gz"), work)
    return sdist, wheel


def build(kind, tree, out):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from setuptools.build_meta import build_{kind} as build; print(build({str(out)!r}))",
        ],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_sdist_holds_the_sources_and_what_explains_and_tests_them(archives):
    sdist, _ = archives
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = {
        str(path.relative_to(ROOT))
        for folder in ("storekit", "docs", "scripts", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not any(map(is_made, path.relative_to(ROOT).parts))
    }
    files |= {"setup.py", "pyproject.toml", "tox.ini", "Makefile", "LICENSE", "README.md"}
    assert files - names == set()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(archives):
    _, wheel = archives
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "storekit").rglob("*")
        if path.is_file() and not any(map(is_made, path.relative_to(ROOT).parts))
    }
    assert "storekit/py.typed" in names
    assert names == files


@pytest.mark.slow
def test_the_wheel_says_what_it_is_and_what_it_offers(archives):
    _, wheel = archives
    with zipfile.ZipFile(wheel) as archive:
        info = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode()
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    head = metadata.partition("\n\n")[0].splitlines()
    core = [line for line in head if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert {"Name: storekit", "Requires-Python: >=3.11"} <= set(head)
    assert core == ["Requires-Dist: stevedore>=5.6", "Requires-Dist: pydantic>=2.7"]
    assert "storekit = storekit.cli:main" in entry_points
    assert "filesystem = storekit.drivers.filesystem:FilesystemDriver" in entry_points
    assert len(licences) == 1


def test_every_driver_module_is_offered_and_every_offer_is_a_module():
    modules = {
        path.stem
        for path in (ROOT / "storekit" / "drivers").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir())
    }
    offered = {
        driver.name
        for driver in storekit.drivers_installed()
        if "storekit" in driver.distribution.split(", ")
    }
    assert offered == modules
