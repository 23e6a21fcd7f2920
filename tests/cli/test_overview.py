"""stores and drivers."""

import os


def test_stores_shows_what_is_configured(command):
    command.configure(
        default="main",
        main={},
        frozen={"driver": "chest", "without": ["ADD", "DELETE"]},
        broken={"driver": "nonesuch"},
    )
    main, frozen, broken = command.json("stores")
    fields = ["name", "driver", "default", "state", "hint", "capabilities", "withdrawn", "limits"]
    assert list(main) == list(frozen) == list(broken) == fields
    assert (main["name"], main["driver"], main["default"]) == ("main", "filesystem", True)
    assert main["state"] == "ready"
    assert {"GET", "ADD", "DELETE", "LIST"} <= set(main["capabilities"])
    assert main["limits"]["max_id_length"] == 255
    assert frozen["state"] == "degraded: without ADD; without DELETE"
    assert frozen["withdrawn"] == {"ADD": "without ADD", "DELETE": "without DELETE"}
    assert frozen["capabilities"] == ["GET", "GET_RANGE", "ADD_UNKNOWN_SIZE", "LIST"]
    assert frozen["limits"]["read_chunk"] == 4096
    assert broken["state"].startswith("failed: ")
    assert broken["hint"].startswith("installed are chest, ")
    assert main["hint"] is frozen["hint"] is None
    assert (broken["capabilities"], broken["withdrawn"], broken["limits"]) == ([], {}, None)


def test_stores_shows_it_to_people(command):
    command.configure(
        default="vault",
        vault={"driver": "chest", "without": ["ADD"]},
        broken={"driver": "nonesuch"},
    )
    text = command.run("stores").text
    assert text.endswith("; see storekit drivers)\n")
    assert text.partition(" (installed are chest, ")[0] == (
        "vault (default)  chest  degraded: without ADD\n"
        "  can       GET GET_RANGE ADD_UNKNOWN_SIZE DELETE LIST\n"
        "  promises  -\n"
        "  cannot    ADD: without ADD\n"
        "\n"
        "broken  nonesuch  failed: there is no driver 'nonesuch'"
    )


def test_without_a_configuration_there_is_one_store(command):
    none = {"STOREKIT_CONFIG": ""}
    (local,) = command.json("stores", env=none)
    assert (local["name"], local["default"], local["state"]) == ("local", True, "ready")
    stored = command.json("add", "-", data=b"x", env=none)
    assert stored["location"].startswith(f"file://{command.home}/home/.local/share/storekit/")


def test_drivers_shows_what_is_installed_and_what_cannot_be_loaded(command):
    found = {driver["name"]: driver for driver in command.json("drivers")}
    assert found["chest"] == {
        "name": "chest",
        "distribution": "chest",
        "version": "1",
        "loadable": True,
        "reason": None,
        "hint": None,
    }
    assert found["filesystem"]["distribution"] == "storekit"
    locked = found["locked"]
    assert locked["loadable"] is False
    assert "chest_key_of_nobody" in locked["reason"]
    rows = {row.split()[0]: row for row in command.run("drivers").text.splitlines()}
    assert rows["chest"].split() == ["chest", "1", "chest", "ready"]
    assert rows["locked"].count("cannot be loaded") == 1


def test_drivers_says_in_one_line_that_an_extra_is_not_installed(command, tmp_path):
    # A module that is found first, and says that boto3 is not there.
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError('none here', name='boto3')\n")
    places = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    shown = command.run("drivers", env={"PYTHONPATH": places}).text
    (row,) = (line for line in shown.splitlines() if line.startswith("s3 "))
    state = "its extra is not installed: none here (pip install 'storekit[s3]')"
    assert row.split(maxsplit=3)[3] == state
