"""leftovers and reclaim."""

import os
import signal
import subprocess

import pytest


@pytest.fixture
def killed(chest, tmp_path, signalled):
    """The command, after an add was killed."""
    process = chest.start("add", "-", "--id", "half", stdin=subprocess.PIPE)
    process.stdin.write(os.urandom(3 << 20))
    process.stdin.flush()
    store = tmp_path / "main"
    code, _, _ = signalled(
        process, signal.SIGKILL, lambda: any(path.stat().st_size for path in store.iterdir())
    )
    assert code == -signal.SIGKILL
    return chest


def test_what_a_kill_left_is_shown_and_removed(killed, tmp_path):
    (left,) = killed.json("leftovers", "--older-than", "0")
    assert list(left) == ["name", "store", "size", "modified"]
    assert left["store"] == "main"
    assert left["size"] > 0
    assert (tmp_path / "main" / left["name"]).exists()
    header, row = killed.run("leftovers", "main", "--older-than", "0").text.splitlines()
    assert header.split() == ["STORE", "NAME", "SIZE", "BYTES", "MODIFIED"]
    assert row.split()[:2] == ["main", left["name"]]
    assert killed.json("reclaim", "--older-than", "0s") == [left]
    assert list((tmp_path / "main").iterdir()) == []
    assert killed.json("leftovers", "--older-than", "0") == []


@pytest.mark.parametrize("verb", ["leftovers", "reclaim"])
def test_what_is_younger_than_a_day_is_left_alone(killed, verb):
    assert killed.run(verb).out == b""
    assert killed.json(verb, "--older-than", "30m") == []
    assert len(killed.json("leftovers", "--older-than", "0")) == 1


@pytest.mark.parametrize("value", ["1w", "24", "-1h", "h", "1.5h", "", "99999999999d", "٣h"])
def test_a_duration_that_cannot_be_read_is_a_usage_error(command, value):
    error = command.error("reclaim", f"--older-than={value}", code=2)
    assert "--older-than" in error["message"]


def test_a_broken_store_does_not_keep_the_others_from_being_reclaimed(killed, tmp_path):
    killed.configure(default="broken", broken={"path": "/nowhere"}, main={"driver": "chest"})
    done = killed.run("reclaim", "--older-than", "0", code=1)
    assert "store 'broken'" in done.one_line
    assert len(done.text.splitlines()) == 2
    assert list((tmp_path / "main").iterdir()) == []
