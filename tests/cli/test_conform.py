"""A run of the kit stops as every verb does, and its harness is torn down first."""

import json
import textwrap

HARNESS = """
    import pathlib
    import time

    import storekit
    from storekit.testing import Harness


    class Slow(Harness):
        def setup(self):
            super().setup()
            pathlib.Path("set-up").touch()
            if pathlib.Path("slow").exists():
                time.sleep(0.5)

        def teardown(self):
            super().teardown()
            pathlib.Path("torn-down").touch()

        def make_store(self, **overrides):
            path = self.directory / "images"
            return storekit.open_store("filesystem", path=path, create=True, **overrides)
"""


def test_a_signal_ends_the_run_once_the_harness_is_torn_down(command, tmp_path, signalled, number):
    (tmp_path / "acme.py").write_text(textwrap.dedent(HARNESS))
    process = command.start("conform", "--harness", "acme:Slow", "--level", "hard")
    code, out, err = signalled(process, number, (tmp_path / "set-up").exists)
    assert (code, out) == (128 + number, b"")
    assert err == f"storekit: stopped by {number.name}\n"
    assert (tmp_path / "torn-down").exists()


def test_a_setup_that_a_signal_interrupts_is_ended_and_undone(command, tmp_path, signalled, number):
    (tmp_path / "acme.py").write_text(textwrap.dedent(HARNESS))
    (tmp_path / "slow").touch()
    process = command.start("conform", "--harness", "acme:Slow", "-k", "SIZ-01")
    code, _, err = signalled(process, number, (tmp_path / "set-up").exists)
    assert (code, err) == (128 + number, f"storekit: stopped by {number.name}\n")
    assert (tmp_path / "torn-down").exists()


def test_the_harness_beside_the_caller_is_held_to_the_contract(command, tmp_path):
    (tmp_path / "acme.py").write_text(textwrap.dedent(HARNESS))
    report = command.json("conform", "--harness", "acme:Slow", "-k", "SIZ-01")
    assert report["counts"]["PASS"] == 1
    error = command.error("conform", "--harness", "acme:Nobody", code=2)
    assert error["error"] == "ConfigurationError"


def test_a_command_that_is_killed_takes_the_run_with_it(command, tmp_path):
    (tmp_path / "acme.py").write_text(textwrap.dedent(HARNESS))
    (tmp_path / "slow").touch()
    process = command.start("conform", "--harness", "acme:Slow", "-k", "SIZ-01", "--json")
    while not (tmp_path / "set-up").exists():
        assert process.poll() is None
    process.kill()
    out, _ = process.communicate(timeout=60)  # ends when the run has closed standard error
    assert out == b""
    assert (tmp_path / "torn-down").exists()


def test_a_missing_backend_is_told_to_programs_too(command, tmp_path):
    (tmp_path / "acme.py").write_text(
        "from storekit.testing import Harness\n"
        "class Nowhere(Harness):\n"
        "    def make_store(self, **overrides):\n"
        "        raise RuntimeError('there is no backend')\n"
    )
    done = command.run("conform", "--harness", "acme:Nowhere", "--json", code=3)
    error = json.loads(done.err)
    assert error["error"] == "NoReport"
    assert error["message"] == (
        "no store to hold to the contract: RuntimeError: there is no backend;"
        " raised by make_store of Nowhere; --debug shows the traceback"
    )
    debugged = command.run("conform", "--harness", "acme:Nowhere", "--debug", code=3)
    assert "in make_store" in debugged.err
