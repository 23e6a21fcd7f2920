"""check: a real write, read and delete."""

FIELDS = ["store", "ok", "seconds", "steps", "skipped", "error", "message", "hint"]


def test_a_good_store_is_written_read_and_left_as_it_was(command, tmp_path):
    command.add()
    (found,) = command.json("check")
    assert list(found) == FIELDS
    assert (found["store"], found["ok"], found["error"]) == ("main", True, None)
    assert found["steps"] == ["open", "add", "get_size", "get", "delete"]
    assert found["skipped"] == {}
    assert 0 < found["seconds"] < 60
    assert [image["image_id"] for image in command.json("ls")] == ["cirros.img"]
    text = command.run("check", "main").text
    assert text.startswith("main  ok  ")
    assert text.endswith(" s  open, add, get_size, get, delete\n")


def test_one_bad_store_fails_the_check_and_the_others_are_checked(command):
    command.configure(default="good", bad={"path": "/nowhere"}, good={})
    done = command.run("check", code=1)
    first, reason, second = done.text.splitlines()
    assert first.startswith("bad  failed  ")
    assert "store 'bad'" in reason
    assert second.startswith("good  ok  ")
    assert done.err == ""
    assert command.json("check", "good")[0]["ok"] is True
    bad, good = command.json("check", code=1)
    assert (bad["ok"], good["ok"]) == (False, True)
    assert bad["error"]
    assert bad["message"]


def test_a_store_that_gives_other_bytes_fails_and_keeps_nothing(chest, tmp_path):
    chest.configure(main={"driver": "chest", "corrupt": True})
    (found,) = chest.json("check", code=1)
    assert (found["ok"], found["error"]) == (False, "DigestMismatch")
    assert found["steps"] == ["open", "add", "get_size"]
    assert list((tmp_path / "main").iterdir()) == []


def test_a_store_that_is_wrong_about_a_size_fails_and_keeps_nothing(chest, tmp_path):
    chest.configure(main={"driver": "chest", "off_by": 1})
    (found,) = chest.json("check", code=1)
    assert (found["error"], found["steps"]) == ("DataError", ["open", "add"])
    assert "70002" in found["message"]
    assert list((tmp_path / "main").iterdir()) == []


def test_an_image_that_cannot_be_deleted_is_named(chest, tmp_path):
    chest.configure(main={"driver": "chest", "stuck": True})
    (found,) = chest.json("check", code=1)
    (left,) = (tmp_path / "main").iterdir()
    assert found["error"] == "InUse"
    assert f"{left.name} is still there" in found["hint"]


def test_a_read_only_store_is_read_and_says_what_was_not_checked(chest):
    chest.add()
    chest.configure(main={"driver": "chest", "without": ["ADD", "DELETE"]})
    (found,) = chest.json("check")
    assert found["ok"] is True
    assert found["steps"] == ["open", "list", "get_size", "get"]
    assert found["skipped"] == {"add": "without ADD", "delete": "without DELETE"}
    text = chest.run("check").text
    assert "  not checked: add: without ADD\n" in text


def test_a_store_that_cannot_delete_is_not_written(chest, tmp_path):
    chest.configure(main={"driver": "chest", "without": ["DELETE"]})
    (found,) = chest.json("check")
    assert found["steps"] == ["open", "list"]
    assert found["skipped"] == {
        "add": "what is added could not be deleted again",
        "delete": "without DELETE",
        "get": "there is no image",
    }
    assert list((tmp_path / "main").iterdir()) == []


def test_what_cannot_be_read_back_is_not_called_read(chest):
    chest.configure(main={"driver": "chest", "without": ["GET"]})
    (found,) = chest.json("check")
    assert found["steps"] == ["open", "add", "get_size", "delete"]
    assert found["skipped"] == {"get": "without GET"}


def test_an_unknown_store_is_a_usage_error(command):
    error = command.error("check", "main", "other", code=2)
    assert error["hint"] == "there are main"
