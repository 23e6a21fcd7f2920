"""``storekit probe``: what is measured, how it exits, and that nothing is left."""

import jsonschema
import pytest

from storekit.testing.reports.measured import probe_schema

REFERENCE = "storekit.testing.reference:MemoryHarness"


def files_in(directory):
    return sorted(path.name for path in directory.iterdir())


def probed(command, *arguments, **settings):
    """Probe with ``--json``, and hold the document to its schema."""
    document = command.json("probe", *arguments, "--limit", "1MiB", **settings)
    jsonschema.validate(document, probe_schema())
    return document, {row["name"]: row for row in document["rows"]}


def test_a_store_is_measured_and_its_images_are_left_alone(command, tmp_path):
    content, _ = command.add("mine.img")
    document, rows = probed(command, "main")
    assert (document["exit_code"], document["lies"], document["left"]) == (0, [], [])
    assert rows["longest id"]["measured"] == "255 bytes"
    assert rows["requests: add"]["why"] == "no endpoint"
    assert files_in(tmp_path / "main") == ["mine.img"]
    assert (tmp_path / "main" / "mine.img").read_bytes() == content
    assert command.json("leftovers", "--older-than", "0") == []


def test_people_get_a_table_with_what_it_amounts_to(command):
    done = command.run("probe", "main", "--limit", "1MiB", "--seed", "7")
    lines = done.text.splitlines()
    assert lines[0].split() == ["what", "declared", "measured", "verdict", "why"]
    assert "seed 7, limit 1 MiB" in done.text
    assert lines[-1] == "Nothing that was measured is less than declared."
    assert done.err == ""


def test_a_harness_is_measured_by_its_name(command):
    document, rows = probed(command, "--harness", REFERENCE)
    assert document["harness"] == "MemoryHarness"
    assert rows["requests: get"]["measured"] == "1: GET"


def test_a_lie_exits_1_and_is_named(chest, tmp_path):
    chest.configure(main={"driver": "chest", "corrupt": True})
    document, rows = probed(chest, "main", code=1)
    assert document["lies"] == ["a plain image"]
    assert "other bytes" in rows["a plain image"]["why"]
    assert files_in(tmp_path / "main") == []
    done = chest.run("probe", "main", code=1)
    assert "More is declared than was measured: a plain image." in done.text


def test_what_cannot_be_removed_exits_1_and_is_named(chest, tmp_path):
    chest.configure(main={"driver": "chest", "stuck": True})
    document, _ = probed(chest, "main", code=1)
    assert document["left"] == files_in(tmp_path / "main") != []


def test_of_a_store_that_takes_nothing_nothing_is_measured(chest):
    chest.configure(main={"driver": "chest", "without": ["ADD"]})
    document, rows = probed(chest, "main")
    assert document["counts"]["NOT-MEASURED"] == len(rows)
    assert rows["range reads"]["why"] == "the store has no ADD"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["main", "--limit", "0"],
        ["main", "--limit", "64 MB"],
        ["nosuch"],
        ["--harness", "nosuch:Harness"],
    ],
)
def test_wrong_usage_and_configuration_exit_2(command, arguments):
    command.run("probe", *arguments, code=2)


def test_a_store_that_cannot_be_opened_exits_3(command, tmp_path):
    command.configure(main={"path": str(tmp_path / "nowhere")})
    assert "nowhere" in command.run("probe", "main", code=3).one_line
    assert command.error("probe", "main", code=3)["error"] == "Unavailable"


def images_in(directory):
    return [name for name in files_in(directory) if not name.startswith(".storekit-")]


def test_a_signal_ends_it_and_no_image_is_left(chest, tmp_path, signalled, number):
    chest.configure(main={"driver": "chest", "pause": 1})
    process = chest.start("probe", "main")
    code, out, err = signalled(process, number, lambda: images_in(tmp_path / "main"))
    assert (code, out, err) == (128 + number, b"", f"storekit: stopped by {number.name}\n")
    assert images_in(tmp_path / "main") == []


def test_a_signal_after_the_commit_of_an_add_leaves_no_image(chest, tmp_path, signalled, number):
    chest.configure(main={"driver": "chest", "linger": 1})
    process = chest.start("probe", "main")
    code, _, _ = signalled(process, number, lambda: len(files_in(tmp_path / "main")) == 2)
    assert code == 128 + number
    assert images_in(tmp_path / "main") == []
