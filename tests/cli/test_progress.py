"""Progress bars and colours: on a terminal, else where they are asked for."""

import fcntl
import os
import pty
import re
import select
import termios

import pytest


def on_terminal(command, *arguments, streams, data=None, env=None, keys=None):
    """Run the command with some of its streams on a terminal; give its code and what it showed.

    ``keys`` are pressed once it has shown something; the terminal is then the controlling one.
    """
    master, slave = pty.openpty()
    settings = dict.fromkeys(streams, slave)
    settings["env"] = {"TERM": "xterm-256color", **(env or {})}
    if keys is not None:
        settings["preexec_fn"] = lambda: take_terminal(slave)
    if data is not None:
        reading, writing = os.pipe()
        settings["stdin"] = reading
    process = command.start(*arguments, **settings)
    os.close(slave)
    if data is not None:
        os.close(reading)
        os.write(writing, data)
        os.close(writing)
    shown = b""
    while select.select([master], [], [], 30)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # nobody has the other side any more
            break
        shown += piece
        if keys is not None:
            os.write(master, keys)
            keys = None
    os.close(master)
    out, _ = process.communicate(timeout=30)
    return process.returncode, shown.decode(), out


def take_terminal(terminal):
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_add_draws_a_bar_with_bytes_rate_and_time_left(command, tmp_path):
    (tmp_path / "cirros.img").write_bytes(bytes(5 << 20))
    code, shown, out = on_terminal(command, "add", "cirros.img", streams=["stderr"])
    assert code == 0
    assert "cirros.img" in shown
    assert "5.0 MiB/5.0 MiB" in shown
    assert re.search(r"\d+\.\d MiB/s", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)
    assert out.startswith(b"location  file://")


def test_a_bar_of_unknown_size_counts_bytes(command):
    code, shown, _ = on_terminal(
        command, "add", "-", "--id", "piped", streams=["stderr"], data=bytes(60_000)
    )
    assert code == 0
    assert "piped" in shown
    assert "58.6 KiB" in shown
    assert re.search(r"\d KiB/s|\d MiB/s", shown)


def test_there_is_no_bar_without_a_terminal_unless_asked_for(command, tmp_path):
    (tmp_path / "a").write_bytes(bytes(1000))
    assert command.run("add", "a").err == ""
    asked = command.run("add", "a", "--id", "b", "--progress").err
    assert "1000 B/1000 B" in asked


def test_there_is_no_bar_on_a_terminal_if_not_wanted(command, tmp_path):
    (tmp_path / "a").write_bytes(bytes(1000))
    code, shown, _ = on_terminal(command, "add", "a", "--no-progress", streams=["stderr"])
    assert (code, shown) == (0, "")


@pytest.mark.parametrize("verb", ["get", "verify", "cp"])
def test_the_other_long_verbs_draw_bars_too(command, verb):
    command.configure(default="main", main={}, other={})
    content, location = command.add(size=50_000)
    rest = {"get": [], "verify": ["--expect", "md5:" + "0" * 32], "cp": ["--to", "other"]}[verb]
    code, shown, out = on_terminal(command, verb, location, *rest, streams=["stderr"])
    assert code == (1 if verb == "verify" else 0)
    assert "file://" in shown
    if verb == "get":
        assert out == content


def test_an_image_is_not_written_to_a_terminal_unless_forced(command):
    _, location = command.add(size=0)
    (command.home / "t").write_bytes(b"plain text")
    location = command.json("add", "t")["location"]
    code, shown, _ = on_terminal(command, "get", location, streams=["stdout", "stderr"])
    assert code == 2
    assert shown == ("storekit: an image is not written to a terminal (-o FILE, or --force)\r\n")
    code, shown, _ = on_terminal(command, "get", location, "--force", streams=["stdout", "stderr"])
    assert (code, shown) == (0, "plain text")


def test_colours_are_for_terminals_that_want_them(command):
    _, shown, _ = on_terminal(command, "stores", streams=["stdout"])
    assert "\x1b[32mready\x1b[0m" in shown
    assert "\x1b" not in command.run("stores").text
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, shown, _ = on_terminal(command, "stores", streams=["stdout"], env=env)
        assert "ready" in shown
        assert "\x1b" not in shown


def test_a_bar_keeps_out_of_the_way_of_an_error(command, tmp_path):
    (tmp_path / "a").write_bytes(bytes(1000))
    command.run("add", "a")
    code, shown, _ = on_terminal(command, "add", "a", streams=["stderr"])
    assert code == 1
    assert re.search(r"\n(\x1b\[\?25h)?storekit: store 'main' [^\n]*\r\n$", shown)


def test_a_key_ends_a_bar_and_gives_the_cursor_back(command):
    command.configure(main={"driver": "chest"})
    _, location = command.add()
    command.configure(main={"driver": "chest", "pause": 0.3})
    code, shown, _ = on_terminal(
        command, "get", location, "-o", "out", streams=["stderr"], keys=b"\x03"
    )
    assert code == 130
    assert shown.endswith("storekit: stopped by SIGINT\r\n")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert sorted(path.name for path in command.home.iterdir()) == [
        "cirros.img",
        "home",
        "main",
        "storekit.toml",
    ]
