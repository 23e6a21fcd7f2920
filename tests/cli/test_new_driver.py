"""``storekit new-driver``: what it refuses, what it writes, and that what it wrote works."""

import json
import os
import resource
import sys
import tomllib

import pytest
from workbench import Workbench

from storekit.cli.failures import Misuse
from storekit.cli.skeleton import Skeleton


@pytest.mark.parametrize(
    "name",
    [
        *("", "Acme", "1acme", "-acme", "acme-", "acme_", "a--b", "a-_b", "a.b", "a b", "a/b"),
        *("../acme", "acmé", "a\n", "a" * 41, "class", "import", "driver", "tests"),
        *("filesystem", "http", "s3", "swift", "rbd", "cli", "testing", "file", "https", "vsphere"),
    ],
)
def test_a_name_that_no_driver_can_have_is_refused(name):
    with pytest.raises(Misuse) as caught:
        Skeleton.of(name, None)
    assert repr(name) in str(caught.value)
    assert caught.value.hint


def test_a_refused_name_is_an_error_of_usage_before_anything_is_written(command, tmp_path):
    before = sorted(tmp_path.iterdir())
    error = command.error("new-driver", "Acme", code=2)
    assert error["error"] == "UsageError"
    assert "lower case letters" in error["hint"]
    assert sorted(tmp_path.iterdir()) == before


def test_the_name_of_an_installed_driver_is_taken_whoever_has_it(command, tmp_path):
    error = command.error("new-driver", "chest", code=2)
    assert "chest" in error["message"]
    assert not (tmp_path / "storekit-chest").exists()


@pytest.mark.parametrize("author", ["", " ", "a\nb"])
def test_an_author_without_a_name_is_refused(author):
    with pytest.raises(Misuse, match="author"):
        Skeleton.of("acme", author)


def test_what_exists_is_refused_and_left_as_it_is(command, tmp_path):
    there = tmp_path / "storekit-acme"
    (there / "mine").mkdir(parents=True)
    before = (there.stat().st_ino, there.stat().st_mtime_ns)
    done = command.run("new-driver", "acme", code=1)
    assert there.name in done.one_line
    assert "left as it is" in done.one_line
    assert (there.stat().st_ino, there.stat().st_mtime_ns) == before
    assert [path.name for path in there.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", ["an empty directory", "a file", "a broken link"])
def test_whatever_has_the_name_is_not_replaced(tmp_path, kind):
    there = tmp_path / "storekit-acme"
    make = {
        "an empty directory": there.mkdir,
        "a file": there.touch,
        "a broken link": lambda: there.symlink_to("nowhere"),
    }
    make[kind]()
    before = there.lstat()
    with pytest.raises(FileExistsError):
        Skeleton("acme").write(tmp_path)
    assert there.lstat() == before
    assert list(tmp_path.iterdir()) == [there]


def test_a_directory_that_is_not_there_is_refused(command, tmp_path):
    error = command.error("new-driver", "acme", "--directory", "nowhere", code=2)
    assert "nowhere" in error["message"]
    assert not (tmp_path / "nowhere").exists()


def test_a_failure_in_the_middle_leaves_nothing(command, tmp_path):
    work = tmp_path / "work"
    work.mkdir()

    def few_bytes():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    settings = {"preexec_fn": few_bytes, "env": {"PYTHONDONTWRITEBYTECODE": "1"}}
    error = command.error("new-driver", "acme", "--directory", work, code=1, **settings)
    assert "File too large" in error["message"]
    assert list(work.iterdir()) == []


def test_it_writes_where_it_is_told_and_prints_the_next_steps(command, tmp_path):
    work = tmp_path / "two words"
    work.mkdir()
    done = command.run("new-driver", "acme-2b_c", "--directory", work)
    assert [path.name for path in work.iterdir()] == ["storekit-acme-2b-c"]
    assert f"cd '{work}/storekit-acme-2b-c'" in done.text
    assert "pip install -e '.[dev]'" in done.text
    assert "licence" in done.text
    made = work / "storekit-acme-2b-c"
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert files == set(Skeleton("acme-2b_c").files())
    assert (made / "src" / "storekit_acme_2b_c" / "py.typed").read_text() == ""
    assert {made.stat().st_mode & 0o777, (made / "src").stat().st_mode & 0o777} == {0o755}
    assert len((made / "tests" / "harness.py").read_text().splitlines()) <= 25


@pytest.mark.parametrize(
    ("came_from", "address"),
    [
        ({"url": "file:///src/storekit", "dir_info": {}}, "file:///src/storekit"),
        (
            {"url": "https://git.invalid/s", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}},
            "git+https://git.invalid/s@0a1b",
        ),
    ],
)
def test_the_next_steps_install_a_storekit_that_is_in_no_index_from_where_it_came(
    command, tmp_path, came_from, address
):
    metadata = tmp_path / "site" / "storekit-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: storekit\nVersion: 0.1.0\n")
    (metadata / "direct_url.json").write_text(json.dumps(came_from))
    places = os.pathsep.join([str(metadata.parent), command.environment["PYTHONPATH"]])
    steps = command.json("new-driver", "acme", env={"PYTHONPATH": places})["next"]
    assert steps[1:4] == [
        "python3 -m venv .venv && . .venv/bin/activate",
        f"pip install 'storekit[cli,testing] @ {address}'",
        "pip install -e '.[dev]'",
    ]


def test_the_next_steps_go_on_in_the_virtual_environment_that_is_active(command):
    steps = command.json("new-driver", "acme", env={"VIRTUAL_ENV": sys.prefix})["next"]
    assert steps[:2] == ["cd storekit-acme", "pip install -e '.[dev]'"]


def test_it_writes_the_author_and_leaves_the_licence_open(command, tmp_path):
    author = 'Ada "L" \\ Lovelace <ada@example.org>'
    document = command.json("new-driver", "acme", "--author", author)
    made = tmp_path / document["directory"]
    assert document["name"] == "acme"
    assert document["distribution"] == "storekit-acme"
    assert set(document["files"]) == set(Skeleton("acme").files())
    assert document["next"][0] == "cd storekit-acme"
    project = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    assert project["authors"][0]["email"] == "ada@example.org"
    assert project["name"] == "storekit-acme"
    assert project["entry-points"] == {"storekit.drivers": {"acme": "storekit_acme:AcmeDriver"}}
    assert "license" not in project
    assert not (made / "LICENSE").exists()
    assert "None chosen yet" in (made / "README.md").read_text()
    shown = (made / ".github" / "workflows" / "ci.yml").read_text()
    assert "${{ matrix.python }}" in shown


@pytest.mark.slow
def test_what_it_writes_installs_is_found_passes_core_and_is_clean(command, tmp_path):
    bench = Workbench(tmp_path / "venv")
    work = tmp_path / "work"
    work.mkdir()
    bench.run("storekit new-driver acme-2b --author 'Ada Lovelace'", work)
    project = work / "storekit-acme-2b"
    bench.run("pip install -q -e '.[dev]'", project)
    drivers = json.loads(bench.run("storekit drivers --json", project))
    (found,) = (one for one in drivers if one["name"] == "acme-2b")
    assert found["distribution"] == "storekit-acme-2b"
    assert found["loadable"]
    bench.run("ruff check --isolated --no-cache .", project)  # with the defaults
    bench.run("ruff check --no-cache && ruff format --no-cache --check", project)
    bench.run("mypy --strict", project)
    assert " failed" not in bench.run("pytest -q", project)
    (work / "images").mkdir()
    (work / "storekit.toml").write_text(
        f'[stores.main]\ndriver = "acme-2b"\npath = "{work}/images"\n'
    )
    shown = bench.run("storekit conform main --config ../storekit.toml --json", project)
    report = json.loads(shown)
    assert report["reached"] == "core"
    harness = "tests.harness:Acme2bHarness"
    text = bench.run(f"storekit conform --harness {harness} -k SIZ-01", project)
    assert "FAIL" not in text
    assert list((work / "images").iterdir()) == []
