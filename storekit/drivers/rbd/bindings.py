"""Bindings: the modules ``rados`` and ``rbd``, which come with Ceph and never from PyPI.

Debian installs one extension module for each, for its own version of Python. A virtual environment
does not see them, so they are looked for where Debian puts them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from storekit.errors import DriverLoadError

__all__ = ["load", "rados", "rbd"]

_DISTRIBUTION = Path("/usr/lib/python3/dist-packages")
_NAMES = ("rados", "rbd")  # in this order: rbd needs rados


def load(name: str, directory: Path = _DISTRIBUTION) -> ModuleType:
    """Import a module of Ceph's, also one that only the distribution's own Python sees.

    Args:
        name: ``rados`` or ``rbd``.
        directory: Where the distribution keeps it.

    Raises:
        DriverLoadError: It is not there, or is for another Python; says what to do.
    """
    try:
        module = importlib.import_module(name)
        if hasattr(module, "Error"):
            return module
        del sys.modules[name]  # a directory of that name somewhere on the path
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    files = [directory / f"{name}{suffix}" for suffix in EXTENSION_SUFFIXES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DriverLoadError(f"there is no module {name!r}", hint=_remedy(name, directory))
    loader = ExtensionFileLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None  # noqa: S101 - only without a loader; for the type checker
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _remedy(name: str, directory: Path) -> str:
    tag = ".".join(map(str, sys.version_info[:2]))
    others = sorted(file.name for file in directory.glob(f"{name}.*.so"))
    if others:
        return f"it is there for another Python ({', '.join(others)}), and this is Python {tag}"
    site = sysconfig.get_paths()["platlib"]
    return (
        "install Ceph's bindings, of Debian: apt-get install python3-rados python3-rbd; if they "
        f"are elsewhere than in {directory}: ln -s WHERE/rados.*.so WHERE/rbd.*.so {site}/"
    )


_modules: list[Any] = [load(name) for name in _NAMES]
rados, rbd = _modules
