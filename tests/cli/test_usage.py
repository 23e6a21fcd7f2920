"""The command line, the configuration, and how errors are shown."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = {
    "add": ["f"],
    "get": ["file:///x"],
    "info": ["file:///x"],
    "ls": [],
    "rm": ["file:///x"],
    "cp": ["file:///x", "--to", "main"],
    "verify": ["file:///x", "--expect", "md5:" + "0" * 32],
    "leftovers": [],
    "reclaim": [],
    "stores": [],
    "check": [],
}


def test_version_and_help(command):
    version = importlib.metadata.version("storekit")
    assert command.run("--version").text == f"storekit {version}\n"
    shown = command.run("--help").text
    verbs = [line.split()[0] for line in shown.partition("Commands:\n")[2].splitlines()]
    assert set(verbs) >= {*VERBS, "completion", "drivers"}
    assert "..." not in shown.partition("Commands:\n")[2]
    for verb in verbs:
        assert command.run(verb, "-h").text.startswith(f"Usage: storekit {verb} ")


def test_without_a_verb_the_help_is_an_error(command):
    done = command.run(code=2)
    assert done.out == b""
    assert done.err.startswith("Usage: storekit ")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nothing"], "no such command 'nothing'"),
        (["ls", "--nothing"], "--nothing"),
        (["get"], "missing argument 'LOCATION'"),
        (["add", "f", "--size", "-1"], "--size"),
        (["add", "f", "--size", "1k"], "--size"),
        (["get", "file:///x", "--offset", "x"], "--offset"),
        (["cp", "file:///x"], "--to"),
        (["completion", "tcsh"], "tcsh"),
        (["ls", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(command, arguments, part):
    done = command.run(*arguments, code=2)
    assert done.one_line.startswith("storekit: ")
    assert part.lower() in done.one_line.lower()
    assert "--help)" in done.one_line
    error = command.error(*arguments, code=2)
    assert error["error"] == "UsageError"
    assert part.lower() in error["message"].lower()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_a_configuration(command, tmp_path, verb):
    (tmp_path / "f").touch()
    bad = tmp_path / "bad.toml"
    bad.write_text("default = 'x'\n")
    for where in (["--config", bad, verb], [verb, "--config", bad]):
        error = command.error(*where, *VERBS[verb], code=2)
        assert error["error"] == "ConfigurationError"
        assert str(bad) in error["message"]
    missing = command.run(verb, *VERBS[verb], "--config", "gone.toml", code=2)
    assert "gone.toml: No such file or directory" in missing.one_line


def test_the_configuration_is_that_of_the_option_else_of_the_environment(command, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(f'[stores.other]\ndriver = "filesystem"\npath = "{tmp_path}"\n')
    assert command.json("stores")[0]["name"] == "main"
    assert command.json("stores", "--config", other)[0]["name"] == "other"
    assert command.json("stores", env={"STOREKIT_CONFIG": str(other)})[0]["name"] == "other"
    user = tmp_path / "config" / "storekit" / "storekit.toml"
    user.parent.mkdir(parents=True)
    user.write_text(other.read_text().replace("other", "mine"))
    env = {"STOREKIT_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert command.json("stores", env=env)[0]["name"] == "mine"


@pytest.mark.parametrize("verb", ["add", "ls", "leftovers", "reclaim", "check", "info", "get"])
def test_an_unknown_store_is_a_usage_error_that_names_the_known_ones(command, tmp_path, verb):
    (tmp_path / "f").touch()
    name = ["other"] if verb in {"ls", "leftovers", "reclaim", "check"} else ["--store", "other"]
    arguments = [*(VERBS[verb] if len(name) == 2 else []), *name]
    assert command.error(verb, *arguments, code=2) == {
        "error": "UsageError",
        "message": "there is no store 'other'",
        "hint": "there are main",
    }


def test_an_empty_store_name_is_not_the_default(command):
    assert command.error("add", "-", "--store", "", data=b"x", code=2)["error"] == "UsageError"
    assert command.error("ls", "", code=2)["error"] == "UsageError"


def test_an_unknown_driver_is_a_configuration_error(command):
    command.configure(main={"driver": "nonesuch"})
    error = command.error("add", "-", data=b"x", code=2)
    assert error["error"] == "DriverNotFound"
    assert "nonesuch" in error["message"]
    assert "filesystem" in error["hint"]


def test_a_bad_option_is_a_configuration_error(command):
    command.configure(main={"driver": "chest", "paws": 4})
    error = command.error("ls", code=2)
    assert error["error"] == "ConfigurationError"
    assert "paws" in error["message"]
    assert "pause" in error["hint"]


@pytest.mark.parametrize(
    "location", ["nonsense", "", "file:///elsewhere/x", "nobody://x/y", "file://a b/\n"]
)
@pytest.mark.parametrize("verb", ["get", "info", "rm", "verify", "cp"])
def test_a_bad_location_fails_the_operation(command, verb, location):
    rest = VERBS[verb][1:]
    assert command.run(verb, location, *rest, code=1).one_line.startswith("storekit: ")
    assert command.error(verb, location, *rest, code=1)["error"] in {
        "InvalidLocation",
        "UnknownScheme",
    }


def test_a_credential_in_a_location_is_not_repeated(command, tmp_path):
    for location in (
        "s3+https://key:hunter2@host/bucket/x",
        f"file://key:hunter2@{tmp_path}/main/x",
        "file://key:hunter2@",
    ):
        for verb in ("info", "rm", "get"):
            assert "hunter2" not in command.run(verb, location, code=1).err


def test_errors_have_their_hint_on_the_same_line(command):
    done = command.run("info", "nonsense", code=1)
    assert done.one_line == (
        "storekit: 'nonsense' is not a location (a location is scheme://authority/path)"
    )
    assert command.error("info", "nonsense", code=1) == {
        "error": "InvalidLocation",
        "message": "'nonsense' is not a location",
        "hint": "a location is scheme://authority/path",
    }


def test_debug_shows_the_traceback_before_the_line(command):
    for arguments in (["info", "nonsense", "--debug"], ["--debug", "info", "nonsense"]):
        lines = command.run(*arguments, code=1).err.splitlines()
        assert "Traceback (most recent call last):" in lines
        assert lines[-1].startswith("storekit: 'nonsense'")


def test_an_option_behind_two_dashes_is_an_argument(command):
    done = command.run("info", "--", "--json", code=1)
    assert done.one_line.startswith("storekit: '--json' is not a location")


@pytest.mark.parametrize("missing", [("click",), ("rich",), ("click", "rich")])
def test_without_click_or_rich_one_line_says_what_to_install(command, missing):
    # An interpreter in which they cannot be imported, as in one that does not have them.
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in missing)
    code = f"import sys; {blocked}; from storekit.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"storekit: the command needs {' and '.join(missing)} (pip install storekit[cli])\n"
    )


def test_the_installed_command_is_the_same_as_the_module(command):
    script = Path(sys.executable).with_name("storekit")
    done = subprocess.run(
        [script, "--version"], env=command.environment, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout == command.run("--version").out


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["drivers"], ["ls"]])
def test_what_draws_no_bar_does_not_load_rich(command, arguments):
    done = command.start(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"}).communicate()
    imported = {line.rpartition(b"|")[2].strip() for line in done[1].splitlines()}
    assert b"click" in imported
    assert b"rich.progress" not in imported


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["storekit", "ver"], ["verify"]),
        (["storekit", "add", "--store", ""], ["fast", "slow"]),
        (["storekit", "ls", "s"], ["slow"]),
        (["storekit", "cp", "file:///x", "--to", "f"], ["fast"]),
        (["storekit", "check", "fast", "s"], ["slow"]),
        (["storekit", "--config", "none.toml", "ls", ""], []),
        (["storekit", "completion", ""], ["bash", "zsh", "fish"]),
        (["storekit", "get", "--of"], ["--offset"]),
    ],
)
def test_a_shell_completes_verbs_options_and_stores(command, words, expected):
    command.configure(default="fast", fast={}, slow={})
    done = command.run(
        env={
            "_STOREKIT_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join([*words[:-1], words[-1] or "''"]),
            "COMP_CWORD": str(len(words) - 1),
        }
    )
    assert [line.partition(",")[2] for line in done.text.split()] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(command, shell):
    script = command.run("completion", shell).text
    assert f"_STOREKIT_COMPLETE={shell}_complete" in script


def test_bash_completes_with_the_script(command, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "storekit").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m storekit "$@"\n'
    )
    (tmp_path / "bin" / "storekit").chmod(0o755)
    code = """
        source <(storekit completion bash)
        COMP_WORDS=(storekit ls '') COMP_CWORD=2
        $(complete -p storekit | sed 's/.*-F \\([^ ]*\\).*/\\1/') storekit
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    env = {**command.environment, "PATH": f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("main\n", "")
