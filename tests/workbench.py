"""A virtual environment as the author of a driver has one: it sees what this one has."""

import os
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import storekit

# What has a module to run; other programs are found where they are.
PROGRAMS = ("mypy", "pip", "pytest", "storekit")


class Workbench:
    """Runs commands in a virtual environment of its own, offline.

    Args:
        path: Where to make it.
    """

    def __init__(self, path):
        venv.create(path, symlinks=True)
        python = path / "bin" / "python"
        seen = [*site.getsitepackages(), sysconfig.get_paths()["purelib"]]
        lines = [f"import site; site.addsitedir({place!r})" for place in dict.fromkeys(seen)]
        (library,) = path.glob("lib/python*/site-packages")
        (library / "outer.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name in PROGRAMS:
            program = path / "bin" / name
            module = (
                f"import runpy; runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
            )
            program.write_text(f"#!{python}\n{module}\n", encoding="utf-8")
            program.chmod(0o755)
        ruff = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(path / "bin"), str(ruff), os.environ["PATH"]]),
            # A type checker does not follow every kind of editable installation.
            "MYPYPATH": str(Path(storekit.__file__).parent.parent),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip takes the 0 for the option that turns it off
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, text, directory, *, code=0, timeout=500):
        """Run lines of a shell.

        Args:
            text: The lines.
            directory: Where to.
            code: The exit code that is expected.
            timeout: Seconds that they may take.

        Returns:
            What was printed.
        """
        done = subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout
