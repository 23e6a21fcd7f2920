"""add, get, info, ls, rm, cp, verify."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import uuid

import pytest


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def test_add_prints_location_size_and_digests(command, tmp_path):
    content = os.urandom(70_001)
    (tmp_path / "cirros.img").write_bytes(content)
    stored = command.json("add", "cirros.img")
    assert stored == {
        "location": f"file://{tmp_path}/main/cirros.img",
        "size": 70_001,
        "digests": {
            "md5": hashlib.md5(content).hexdigest(),
            "sha512": hashlib.sha512(content).hexdigest(),
        },
        "store": "main",
        "metadata": {},
    }
    assert (tmp_path / "main" / "cirros.img").read_bytes() == content


def test_add_prints_aligned_lines_for_people(command, tmp_path):
    (tmp_path / "cirros.img").write_bytes(bytes(21_692_416))
    lines = command.run("add", "cirros.img").text.splitlines()
    assert lines[0] == f"location  file://{tmp_path}/main/cirros.img"
    assert lines[1:3] == ["store     main", "size      20.7 MiB (21692416 bytes)"]
    assert [line[:10] for line in lines[3:]] == ["md5       ", "sha512    "]


def test_the_id_of_a_file_is_its_name_unless_one_is_given(command, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a b.img").write_bytes(b"x")
    command.run("add", tmp_path / "deep" / "a b.img")
    command.run("add", "deep/a b.img", "--id", "other")
    assert {image["image_id"] for image in command.json("ls")} == {"a b.img", "other"}


def test_standard_input_is_added_under_a_new_uuid(command):
    content = os.urandom(70_001)
    stored = command.json("add", "-", data=content)
    assert stored["size"] == 70_001
    assert stored["digests"]["md5"] == hashlib.md5(content).hexdigest()
    image_id = stored["location"].rpartition("/")[2]
    assert str(uuid.UUID(image_id)) == image_id
    other = command.json("add", "-", "--id", "mine", data=b"")
    assert (other["size"], other["location"].rpartition("/")[2]) == (0, "mine")


def test_a_redirected_file_is_added_from_where_it_stands(command, tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with (tmp_path / "a").open("rb", buffering=0) as file:
        file.seek(4)
        stored = command.json("add", "-", "--id", "rest", stdin=file)
    assert command.run("get", stored["location"]).out == b"456789"


def test_a_redirected_file_has_a_size_for_a_store_that_must_know_it(command, tmp_path):
    command.configure(main={"driver": "chest", "without": ["ADD_UNKNOWN_SIZE"]})
    (tmp_path / "a").write_bytes(b"0123456789")
    with (tmp_path / "a").open("rb") as file:
        assert command.json("add", "-", stdin=file)["size"] == 10
    refused = command.error("add", "-", data=b"0123456789", code=1)
    assert refused["error"] == "Unsupported"
    assert command.json("add", "-", "--size", "10", data=b"0123456789")["size"] == 10


def test_a_wrong_size_stores_nothing(command):
    for size in ("9", "11"):
        refused = command.error("add", "-", "--size", size, data=b"0123456789", code=1)
        assert refused["error"] == "SizeMismatch"
    assert command.json("ls") == []


def test_expect_decides_whether_an_image_is_stored(command):
    wrong = command.error("add", "-", "--expect", "sha256:" + "0" * 64, data=b"x", code=1)
    assert wrong["error"] == "DigestMismatch"
    assert command.json("ls") == []
    digests = [
        "--expect",
        f"SHA256:{sha256(b'x').upper()}",
        "--expect",
        "md5:" + "9dd4e461268c8034f5c8564e155c67a6",
    ]
    stored = command.json("add", "-", *digests, data=b"x")
    assert stored["digests"]["sha256"] == sha256(b"x")


@pytest.mark.parametrize(
    "value", ["sha256", "sha256:", "sha256:zz", f"sha1:{'0' * 64}", "crc99:00", f":{'0' * 64}"]
)
def test_an_expectation_that_cannot_be_read_is_a_usage_error(command, value):
    error = command.error("add", "-", "--expect", value, data=b"x", code=2)
    assert error["error"] == "UsageError"
    assert "--expect" in error["message"]


def test_two_different_digests_of_one_kind_are_a_usage_error(command):
    twice = ["--expect", "md5:" + "0" * 32, "--expect", "md5:" + "1" * 32]
    assert "two different md5" in command.error("add", "-", *twice, data=b"x", code=2)["message"]


def test_an_id_that_is_taken_is_refused_and_the_image_kept(command, tmp_path):
    content, location = command.add()
    (tmp_path / "cirros.img").write_bytes(b"another")
    assert command.error("add", "cirros.img", code=1)["error"] == "Duplicate"
    assert command.run("get", location).out == content


def test_a_missing_file_is_a_usage_error(command):
    error = command.error("add", "nowhere.img", code=2)
    assert error["message"] == "nowhere.img: No such file or directory"
    assert command.run("add", "nowhere.img", code=2).one_line.startswith("storekit: nowhere.img:")


def test_a_directory_is_no_image(command):
    assert "is a directory" in command.error("add", ".", code=2)["message"]


def test_a_file_that_cannot_be_read_is_named(command):
    # Its first page is mapped nowhere.
    error = command.error("add", "/proc/self/mem", code=1)
    assert error == {
        "error": "OSError",
        "message": "/proc/self/mem: Input/output error",
        "hint": None,
    }
    assert command.json("ls") == []


def test_a_closed_standard_input_is_named(command):
    process = f"exec {sys.executable} -m storekit add - <&-"
    done = subprocess.run(
        ["sh", "-c", process], env=command.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "storekit: standard input: Bad file descriptor\n")


def test_get_writes_to_standard_output(command):
    content, location = command.add()
    assert command.run("get", location).out == content
    assert command.run("get", location, "-o", "-").out == content


def test_get_gives_a_part(command):
    content, location = command.add()
    assert command.run("get", location, "--offset", 99_990).out == content[99_990:]
    assert command.run("get", location, "--offset", 7, "--length", 70_000).out == content[7:70_007]
    assert command.run("get", location, "--length", 0).out == b""
    assert command.run("get", location, "--offset", 100_001).out == b""
    past = command.error("get", location, "--offset", 100_002, code=1)
    assert past["error"] == "RangeNotSatisfiable"


def test_get_writes_a_file_that_is_like_any_new_file(command, tmp_path):
    content, location = command.add()
    assert command.json("get", location, "-o", "out.img") == {"file": "out.img", "size": 100_001}
    assert (tmp_path / "out.img").read_bytes() == content
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.img").stat().st_mode == (tmp_path / "plain").stat().st_mode
    told = command.run("get", location, "-o", "out.img").text
    assert told == "out.img  97.7 KiB (100001 bytes)\n"


def test_get_replaces_a_file(command, tmp_path):
    content, location = command.add()
    (tmp_path / "out.img").write_bytes(b"old")
    command.run("get", location, "-o", "out.img")
    assert (tmp_path / "out.img").read_bytes() == content


def test_get_keeps_a_link_and_replaces_what_it_leads_to(command, tmp_path):
    content, location = command.add()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/out.img")
    command.run("get", location, "-o", "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "out.img").read_bytes() == content
    assert names_in(tmp_path / "elsewhere") == ["out.img"]


def test_get_writes_to_a_device_and_leaves_it_one(command):
    _, location = command.add()
    assert command.json("get", location, "-o", "/dev/null")["size"] == 100_001
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_get_that_fails_leaves_the_old_file_and_nothing_else(command, tmp_path):
    _, location = command.add()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.img").write_bytes(b"old")
    missing = location.replace("cirros", "other")
    wrong = f"sha256:{'0' * 64}"
    assert command.error("get", missing, "-o", "out/a.img", code=1)["error"] == "NotFound"
    mismatch = command.error("get", location, "-o", "out/a.img", "--expect", wrong, code=1)
    assert mismatch["error"] == "DigestMismatch"
    assert names_in(tmp_path / "out") == ["a.img"]
    assert (tmp_path / "out" / "a.img").read_bytes() == b"old"


def test_an_output_file_that_cannot_be_written_is_named(command):
    _, location = command.add()
    where = "nowhere/out.img"
    assert command.error("get", location, "-o", where, code=1) == {
        "error": "FileNotFoundError",
        "message": "nowhere/out.img: No such file or directory",
        "hint": None,
    }
    assert "home: Is a directory" in command.run("get", location, "-o", "home", code=1).one_line


def test_get_checks_what_is_expected_of_the_whole_image_only(command):
    content, location = command.add()
    right = f"sha256:{sha256(content)}"
    assert command.run("get", location, "--expect", right).out == content
    refused = command.error("get", location, "--expect", right, "--offset", 1, code=2)
    assert refused["error"] == "UsageError"


def test_a_full_standard_output_is_an_error(command):
    _, location = command.add()
    for arguments in (["get", location], ["ls"], ["--help"], ["ls", "--help"]):
        with open("/dev/full", "wb") as full:
            done = command.run(*arguments, stdout=full, code=1)
        assert done.err == "storekit: standard output: No space left on device\n"


def test_a_closed_standard_output_is_an_error(command):
    process = f"exec {sys.executable} -m storekit ls >&-"
    done = subprocess.run(
        ["sh", "-c", process], env=command.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "storekit: standard output: Bad file descriptor\n")


def test_a_reader_that_goes_away_ends_the_command_quietly(command):
    _, location = command.add(size=3_000_000)
    for arguments in (["get", location], ["ls"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = command.run(*arguments, stdout=writing, code=141)
        os.close(writing)
        assert done.err == ""


def test_info_shows_where_an_image_is(command, tmp_path):
    _, location = command.add()
    assert command.json("info", location) == {
        "location": location,
        "size": 100_001,
        "store": "main",
        "driver": "filesystem",
        "image_id": "cirros.img",
    }
    assert command.run("info", location).text == (
        f"location  {location}\n"
        "size      97.7 KiB (100001 bytes)\n"
        "store     main\n"
        "driver    filesystem\n"
        "id        cirros.img\n"
    )


def test_ls_lists_the_images(command):
    _, location = command.add()
    (image,) = command.json("ls")
    assert list(image) == ["image_id", "location", "size", "modified"]
    assert (image["image_id"], image["location"], image["size"]) == (
        "cirros.img",
        location,
        100_001,
    )
    header, row = command.run("ls", "main").text.splitlines()
    assert header.split() == ["ID", "SIZE", "BYTES", "MODIFIED", "LOCATION"]
    assert row.split()[:4] == ["cirros.img", "97.7", "KiB", "100001"]
    assert row.index(location) == header.index("LOCATION")


def test_ls_of_nothing_prints_nothing(command):
    assert command.run("ls").out == b""
    assert command.json("ls") == []


def test_ls_of_several_stores_says_which_one_has_an_image(command):
    command.configure(default="one", one={}, two={})
    command.add("a", store="one")
    command.add("b", store="two")
    assert [image["image_id"] for image in command.json("ls", "two")] == ["b"]
    assert sorted(image["image_id"] for image in command.json("ls")) == ["a", "b"]
    header, *rows = command.run("ls").text.splitlines()
    assert header.split()[4] == "STORE"
    assert [row[header.index("STORE") :].split()[0] for row in rows] == ["one", "two"]


def test_a_store_that_cannot_be_listed_is_left_out_of_all(command):
    command.configure(default="one", one={}, two={"driver": "chest", "without": ["LIST"]})
    command.add("a")
    assert [image["image_id"] for image in command.json("ls")] == ["a"]
    assert "store 'two' is left out" in command.run("ls").one_line
    assert command.error("ls", "two", code=1)["error"] == "Unsupported"


def test_a_broken_store_is_reported_and_the_others_are_listed(command):
    command.configure(default="one", one={}, two={"path": "/nowhere"}, three={"driver": "nonesuch"})
    command.add("a")
    done = command.run("ls", "--json", code=1)
    assert [image["image_id"] for image in json.loads(done.out)] == ["a"]
    broken = [json.loads(line)["message"] for line in done.err.splitlines()]
    assert ["store 'two'" in broken[0], "store 'three'" in broken[1]] == [True, True]


def test_rm_deletes_an_image(command):
    _, location = command.add()
    assert command.json("rm", location) == {"location": location}
    assert command.json("ls") == []
    assert command.error("rm", location, code=1)["error"] == "NotFound"
    _, location = command.add()
    assert command.run("rm", location).text == f"deleted {location}\n"


def test_cp_copies_to_another_store(command):
    command.configure(default="one", one={}, two={"driver": "chest"})
    content, location = command.add()
    copy = command.json("cp", location, "--to", "two", "--expect", f"sha256:{sha256(content)}")
    assert (copy["store"], copy["size"]) == ("two", 100_001)
    assert copy["location"].endswith("/two/cirros.img")
    assert copy["digests"]["sha256"] == sha256(content)
    assert command.run("get", copy["location"]).out == content
    assert command.json("cp", location, "--to", "two", "--id", "b")["location"].endswith("/two/b")
    assert command.error("cp", location, "--to", "two", code=1)["error"] == "Duplicate"
    assert command.error("cp", location, "--to", "three", code=2)["error"] == "UsageError"


def test_verify_prints_the_digests_that_it_compared(command):
    content, location = command.add()
    right = f"sha256:{sha256(content)}"
    assert command.json("verify", location, "--expect", right) == {
        "location": location,
        "digests": {"sha256": sha256(content)},
    }
    assert command.run("verify", location, "--expect", right).text == (
        f"sha256  {sha256(content)}\n"
    )
    wrong = command.error("verify", location, "--expect", f"md5:{'0' * 32}", code=1)
    assert wrong["error"] == "DigestMismatch"
    assert command.error("verify", location, code=2)["error"] == "UsageError"


def test_verify_finds_an_image_that_changed(command):
    command.configure(main={"driver": "chest", "corrupt": True})
    content, location = command.add()
    done = command.run("verify", location, "--expect", f"sha256:{sha256(content)}", code=1)
    assert sha256(content) in done.one_line


def test_the_store_of_a_location_can_be_named(command, tmp_path):
    same = {"driver": "chest", "path": str(tmp_path / "one")}
    command.configure(default="one", one=same, two=same)
    _, location = command.add()
    assert command.error("info", location, code=1)["error"] == "InvalidArgument"
    assert command.json("info", location, "--store", "two")["store"] == "two"


def test_a_name_that_would_turn_a_line_around_is_shown_escaped(command, tmp_path):
    name = "a\u202eb"
    (tmp_path / "main" / name).write_bytes(b"x")
    command.configure(main={"driver": "chest"})
    text = command.run("ls").text
    assert name not in text
    assert r"a\u202eb" in text
