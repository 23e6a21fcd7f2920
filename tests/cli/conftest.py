"""The command as its users run it: a process of its own, in a directory with a configuration."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DOWNSTREAM = Path(__file__).parent / "downstream"


class Command:
    """Runs ``storekit`` in a directory, with nothing of the user's own configuration."""

    def __init__(self, home):
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home / "home"),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "STOREKIT_CONFIG": str(home / "storekit.toml"),
            # Found as an installed distribution is, by its metadata.
            "PYTHONPATH": os.pathsep.join([str(DOWNSTREAM), str(Path(__file__).parents[2])]),
        }

    def configure(self, default=None, **stores):
        """Write the configuration; each store is a filesystem store unless it says otherwise."""
        lines = [f'default = "{default}"'] if default else []
        for name, options in stores.items():
            directory = self.home / name
            directory.mkdir(exist_ok=True)
            given = {"driver": "filesystem", "path": str(directory), **options}
            lines.append(f"[stores.{name}]")
            lines += [f"{option} = {json.dumps(value)}" for option, value in given.items()]
        (self.home / "storekit.toml").write_text("\n".join(lines) + "\n")

    def start(self, *arguments, **settings):
        """Start the command, for a test that does something while it runs."""
        settings = {"stdin": subprocess.DEVNULL, "cwd": self.home, **settings}
        return subprocess.Popen(
            [sys.executable, "-m", "storekit", *map(str, arguments)],
            stdout=settings.pop("stdout", subprocess.PIPE),
            stderr=settings.pop("stderr", subprocess.PIPE),
            env={**self.environment, **settings.pop("env", {})},
            **settings,
        )

    def run(self, *arguments, data=None, code=0, **settings):
        """Run the command to its end, and check how it exits and that it shows no traceback."""
        if data is not None:
            settings["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **settings)
        out, err = process.communicate(data, timeout=60)
        done = Done(process.returncode, out or b"", (err or b"").decode())
        assert done.code == code, f"{arguments}: exit {done.code}: {done.err}"
        if "--debug" not in arguments:
            assert "Traceback" not in done.err
        return done

    def json(self, *arguments, **settings):
        """Run the command with ``--json`` and give the document that it prints."""
        return json.loads(self.run(*arguments, "--json", **settings).out)

    def error(self, *arguments, code, **settings):
        """Run the command with ``--json`` and give the error document that it prints."""
        done = self.run(*arguments, "--json", code=code, **settings)
        document = json.loads(done.err)
        assert set(document) == {"error", "message", "hint"}
        return document

    def add(self, name="cirros.img", size=100_001, store=None):
        """Store a file of random bytes, and give its bytes and its location."""
        content = random.Random(name).randbytes(size)
        (self.home / name).write_bytes(content)
        chosen = ["--store", store] if store else []
        return content, self.json("add", name, *chosen)["location"]


class Done:
    """A command that ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def text(self):
        return self.out.decode()

    @property
    def one_line(self):
        """The error, which is one line."""
        assert self.err.count("\n") == 1
        return self.err.rstrip("\n")


@pytest.fixture
def command(tmp_path):
    """The command, in a directory with one filesystem store ``main``."""
    (tmp_path / "home").mkdir()
    made = Command(tmp_path)
    made.configure(main={})
    return made


@pytest.fixture
def chest(command):
    """The command, with one store ``main`` of the third party's driver."""
    command.configure(main={"driver": "chest"})
    return command


@pytest.fixture
def signalled():
    """Wait until something is so, send a signal, and give what the process said at its end."""

    def send(process, number, when, *, times=1):
        deadline = time.monotonic() + 30
        while not when():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(times):
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err.decode()

    return send


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def number(request):
    """A signal that asks a command to end."""
    return request.param
