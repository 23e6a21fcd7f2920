"""A signal ends the command, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest


def files_in(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def slow(command):
    """The command, with a store whose reads take half a minute."""
    command.configure(main={"driver": "chest"})
    _, location = command.add(size=400_000)
    command.configure(main={"driver": "chest", "pause": 0.3})
    return command, location


@pytest.mark.parametrize("driver", ["filesystem", "chest"])
def test_a_signal_in_an_add_from_a_pipe_leaves_nothing(
    command, tmp_path, signalled, number, driver
):
    command.configure(main={"driver": driver})
    process = command.start("add", "-", "--id", "half", stdin=subprocess.PIPE)
    process.stdin.write(os.urandom(3 << 20))
    process.stdin.flush()
    store = tmp_path / "main"
    code, out, err = signalled(process, number, lambda: open_files(process.pid, store))
    assert (code, out) == (128 + number, b"")
    assert err == f"storekit: stopped by {number.name}\n"
    assert files_in(store) == []
    assert command.json("leftovers", "--older-than", "0") == []
    assert command.json("add", "-", "--id", "half", data=b"whole")["size"] == 5


def open_files(pid, directory):
    """The files that a process has open below a directory."""
    found = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        if target.startswith(f"{directory}/"):
            found.append(target)
    return found


def test_a_signal_in_a_get_leaves_the_old_file_and_no_other(slow, tmp_path, signalled, number):
    command, location = slow
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.img").write_bytes(b"old")
    process = command.start("get", location, "-o", "out/a.img")
    code, _, err = signalled(process, number, lambda: len(files_in(out)) == 2)
    assert (code, err) == (128 + number, f"storekit: stopped by {number.name}\n")
    assert files_in(out) == ["a.img"]
    assert (out / "a.img").read_bytes() == b"old"


def test_a_signal_sent_twice_at_once_is_meant_once(slow, tmp_path, signalled):
    command, location = slow
    out = tmp_path / "out"
    out.mkdir()
    process = command.start("get", location, "-o", "out/a.img")
    code, _, err = signalled(process, signal.SIGTERM, lambda: files_in(out), times=2)
    assert (code, err) == (143, "storekit: stopped by SIGTERM\n")
    assert files_in(out) == []


def test_a_clean_up_that_takes_too_long_can_be_ended(command, tmp_path, signalled):
    command.configure(main={"driver": "chest", "linger": 60})
    process = command.start("add", "-", stdin=subprocess.PIPE)
    process.stdin.write(os.urandom(3 << 20))
    process.stdin.flush()
    store = tmp_path / "main"
    while not open_files(process.pid, store):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    assert process.poll() is None
    code, _, err = signalled(process, signal.SIGTERM, lambda: True)
    assert (code, err) == (-signal.SIGTERM, "")
    assert len(command.json("leftovers", "--older-than", "0")) == 1


def test_a_signal_that_python_drops_is_raised_again(command, tmp_path, signalled):
    command.configure(main={"driver": "chest"})
    _, location = command.add(size=400_000)
    command.configure(main={"driver": "chest", "trap": 30, "pause": 0.3})
    (tmp_path / "out").mkdir()
    process = command.start("get", location, "-o", "out/a.img")
    code, _, err = signalled(process, signal.SIGTERM, lambda: in_store(process.pid, location))
    assert (code, err) == (143, "storekit: stopped by SIGTERM\n")
    assert files_in(tmp_path / "out") == []


def test_a_program_is_told_of_a_signal_too(slow, signalled):
    command, location = slow
    process = command.start("verify", location, "--json", "--expect", f"md5:{'0' * 32}")
    code, out, err = signalled(process, signal.SIGTERM, lambda: in_store(process.pid, location))
    assert (code, out) == (143, b"")
    assert err == '{"error": "Stopped", "message": "stopped by SIGTERM", "hint": null}\n'


def in_store(pid, location):
    return open_files(pid, location.removeprefix("chest://").rpartition("/")[0])


def test_a_signal_that_the_parent_ignores_is_ignored(slow, tmp_path):
    command, location = slow
    out = tmp_path / "out"
    out.mkdir()
    process = command.start(
        "get",
        location,
        "--length",
        "8192",
        "-o",
        "out/a.img",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    while not files_in(out):
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0
    assert (out / "a.img").stat().st_size == 8192


def test_a_signal_in_a_check_removes_its_image(slow, tmp_path, signalled):
    command, _ = slow
    store = tmp_path / "main"
    before = files_in(store)
    process = command.start("check")

    def being_read():
        new = set(files_in(store)) - set(before)
        return bool(new) and all(name.startswith("storekit-check-") for name in new)

    # Not earlier: a signal in the driver's own clean-up of its add would be another test's.
    code, _, _ = signalled(process, signal.SIGINT, being_read)
    assert code == 130
    assert files_in(store) == before


def test_a_signal_that_python_wraps_is_still_a_signal(number):
    # In a class body, which every import has many of, Python 3.11 wraps what is raised.
    script = textwrap.dedent("""
        import dataclasses, os, sys
        from storekit.cli import main

        told = dataclasses.Field.__set_name__

        def tell(self, owner, name):
            if owner.__module__.startswith("storekit"):
                os.kill(os.getpid(), int(sys.argv[1]))
            return told(self, owner, name)

        for name in [name for name in sys.modules if name.startswith("storekit")]:
            if not name.startswith("storekit.cli"):
                del sys.modules[name]
        dataclasses.Field.__set_name__ = tell
        sys.exit(main())
    """)

    done = subprocess.run(
        [sys.executable, "-c", script, str(int(number))], capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
