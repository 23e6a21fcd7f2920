"""Metadata file: what the embedder is told about the directory of an image."""

import json

import pytest

import storekit


@pytest.fixture
def write(tmp_path):
    """Write the metadata file."""

    def write_one(value):
        path = tmp_path / "metadata.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write_one


def test_every_add_has_a_fresh_copy_of_the_object(open_store, tmp_path, write):
    entry = {"id": "b9d6", "mountpoint": str(tmp_path / "images"), "share": {"tags": ["a", "b"]}}
    store = open_store(metadata_file=write(entry))

    one, two = store.add("one", b"data"), store.add("two", b"data")

    assert one.metadata == two.metadata == entry
    one.metadata["share"]["tags"].append("changed")
    assert store.add("three", b"data").metadata == entry


def test_of_several_objects_the_nearest_mount_point_counts(open_store, tmp_path, write):
    for name in ("one", "two"):
        (tmp_path / name / "images").mkdir(parents=True)
    far, near, other = (
        {"id": "far", "mountpoint": str(tmp_path)},
        {"id": "near", "mountpoint": str(tmp_path / "one")},
        {"id": "other", "mountpoint": str(tmp_path / "on")},
    )
    metadata_file = write([far, near, other])

    one = open_store(tmp_path / "one" / "images", metadata_file=metadata_file)
    two = open_store(tmp_path / "two" / "images", metadata_file=metadata_file)

    assert one.add("image", b"data").metadata == near
    assert two.add("image", b"data").metadata == far


def test_a_directory_under_no_mount_point_has_no_metadata(open_store, write):
    store = open_store(metadata_file=write([{"id": "a", "mountpoint": "/elsewhere"}]))

    assert store.add("image", b"data").metadata == {}


@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        "",
        "7",
        [7],
        {"id": "a"},
        {"mountpoint": "/"},
        {"id": 7, "mountpoint": "/"},
        [{"id": "a", "mountpoint": "/"}, {"id": "b"}],
    ],
)
def test_a_file_that_is_not_like_that_is_an_error_at_open_that_names_the_option(
    open_store, write, value
):
    with pytest.raises(storekit.ConfigurationError, match="metadata_file"):
        open_store(metadata_file=write(value))


def test_a_missing_file_is_an_error_at_open_that_names_the_option(open_store, tmp_path):
    with pytest.raises(storekit.ConfigurationError, match="metadata_file"):
        open_store(metadata_file=tmp_path / "missing")
