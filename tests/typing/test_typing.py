"""The public API under a strict type checker, as its two kinds of users see it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import storekit

HERE = Path(__file__).parent
DOWNSTREAM = HERE.parent / "downstream"
FILES = [
    HERE / "embedder.py",
    HERE / "author.py",
    HERE / "mistakes.py",
    DOWNSTREAM / "storekit_crate.py",
]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What the checker says of all the files, in one run."""
    options = ["--strict", "--no-error-summary", "--show-error-codes", "--config-file="]
    cache = tmp_path_factory.mktemp("cache")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", cache, *FILES],
        cwd=HERE,
        # A type checker does not follow every kind of editable installation.
        env={**os.environ, "MYPYPATH": str(Path(storekit.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in {0, 1}
    return done.stdout.splitlines()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_type_checker_agrees(complaints, file):
    assert [line for line in complaints if line.split(":")[0].endswith(file.name)] == []
