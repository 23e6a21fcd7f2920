"""Distributions, installed into a directory of their own, and processes that see it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent

# What a module of a good driver holds. The class has the name of its module, capitalized.
GOOD = """
from storekit import Capability, Content, Driver

class {name}(Driver):
    schemes = ("{scheme}",)
    capabilities = Capability.GET

    def get(self, location, offset, length, context=None):
        return Content(0, ())

    def get_size(self, location, context=None):
        return 0
"""

# How a process tells what it sees: the listing first, then each driver that it was asked for.
PROBE = """
import dataclasses, json, sys
import storekit
from storekit.loader import load_driver

def tried(name):
    try:
        return {"loaded": load_driver(name).__qualname__}
    except BaseException as error:
        return {
            "error": [kind.__name__ for kind in type(error).__mro__],
            "text": str(error),
            "hint": getattr(error, "hint", None),
            "cause": type(error.__cause__).__name__,
        }

def seen(*names):
    return {
        "installed": {d.name: dataclasses.asdict(d) for d in storekit.drivers_installed()},
        "tried": {name: tried(name) for name in names},
    }
"""


class Site:
    """A directory as pip leaves it: modules, and a .dist-info for each distribution."""

    def __init__(self, path):
        self.path = path
        path.mkdir(exist_ok=True)

    def install(self, name, drivers, modules, *, version="1.0", extras=None, metadata=True):
        """Install a distribution.

        Args:
            name: Its name.
            drivers: Entry points: values by the names of drivers.
            modules: Sources by the names of modules.
            version: Its version.
            extras: What its extras need, by their names, as a wheel's METADATA has them.
            metadata: Whether it has a METADATA at all.
        """
        for module, source in modules.items():
            (self.path / f"{module}.py").write_text(source, encoding="utf-8")
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata:
            lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
            for extra, needs in (extras or {}).items():
                lines += [f"Provides-Extra: {extra}"]
                lines += [f'Requires-Dist: {need}; extra == "{extra}"' for need in needs]
            (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
        lines = [f"{driver} = {value}" for driver, value in drivers.items()]
        text = "\n".join(["[storekit.drivers]", *lines, ""])
        (info / "entry_points.txt").write_text(text, encoding="utf-8")

    def install_good(self, name, driver, **more):
        """Install a distribution with one good driver in a module ``NAME_driver``."""
        module = f"{name.replace('-', '_')}_driver"
        source = GOOD.format(name=driver.capitalize(), scheme=driver)
        value = f"{module}:{driver.capitalize()}"
        self.install(name, {driver: value}, {module: source}, **more)

    def uninstall(self, name):
        """Remove a distribution, its modules left behind."""
        for info in self.path.glob(f"{name.replace('-', '_')}-*.dist-info"):
            shutil.rmtree(info)

    def run(self, code, *arguments, bare=False, python=sys.executable, **environment):
        """Run code in a process that sees this directory; give the JSON that it prints last.

        Args:
            code: Python, with the names of PROBE.
            *arguments: Its arguments.
            bare: Whether it sees nothing but this directory: no site-packages.
            python: Its interpreter.
            **environment: More variables.
        """
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        path = [str(self.path), *([] if bare else [str(TESTS), *filter(None, inherited)])]
        options = ["-W", "error", *(["-S"] if bare else [])]
        done = subprocess.run(
            [python, *options, "-c", PROBE + code, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def seen(self, *names, **options):
        """Tell what a fresh process sees.

        Args:
            *names: Drivers to load.
            **options: As for ``run``.
        """
        return self.run("print(json.dumps(seen(*sys.argv[1:])))", *names, **options)


def pip_install(project, target):
    """Install a project with pip, offline, from a copy: a build writes into its own tree.

    Args:
        project: The directory with its setup.py.
        target: The directory to install into.
    """
    tree = target.with_name(f"{target.name}-tree")
    shutil.copytree(project, tree, ignore=shutil.ignore_patterns("__pycache__", "build"))
    pip("install", "--no-deps", "--no-build-isolation", "--no-compile", "--target", target, tree)


def pip_wheel(project, directory):
    """Build a wheel with pip, offline, from a copy.

    Args:
        project: The directory with its setup.py.
        directory: Where to put it.

    Returns:
        The wheel.
    """
    tree = directory / "tree"
    shutil.copytree(project, tree, ignore=shutil.ignore_patterns("__pycache__", "build"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", directory, tree)
    (wheel,) = directory.glob("*.whl")
    return wheel


def pip(verb, *arguments):
    """Run pip, offline."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", verb, "--no-index", *arguments],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
