"""The skeleton of a third party's driver: a name that is checked, and files that are written."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import keyword
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from string import Template

from storekit.cli.failures import Misuse
from storekit.errors import ConfigurationError
from storekit.loader import drivers_installed, load_driver

__all__ = ["Skeleton"]

# An entry point, a distribution (PEP 508), a module and a class are named after it.
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", re.ASCII)
_LONGEST = 40
_RESERVED = frozenset({"driver", "storekit", "test", "tests"})

_FILES = {
    ".github/workflows/ci.yml": "ci.yml.in",
    ".gitignore": "gitignore.in",
    "README.md": "README.md.in",
    "pyproject.toml": "pyproject.toml.in",
    "src/{module}/__init__.py": "init.py.in",
    "src/{module}/driver.py": "driver.py.in",
    "src/{module}/py.typed": None,
    "tests/harness.py": "harness.py.in",
    "tests/test_conformance.py": "test_conformance.py.in",
    "tests/test_driver.py": "test_driver.py.in",
}


@dataclass(frozen=True)
class Skeleton:
    """The package of a driver that is to be written.

    Args:
        name: The driver's name, checked.
        author: ``NAME`` or ``NAME <MAIL>``; empty where none was given.
    """

    name: str
    author: str = ""

    @classmethod
    def of(cls, name: str, author: str | None) -> Skeleton:
        """Check a name and an author.

        Args:
            name: What the user wants to call the driver.
            author: ``NAME``, ``NAME <MAIL>`` or None.

        Raises:
            Misuse: A driver cannot have this name, or nobody that of the author.
        """
        _check(name)
        if author is not None and not (author.strip() and author.isprintable()):
            raise Misuse("the author has no name", hint="write it as 'Ada Lovelace <ada@…>'")
        return cls(name, (author or "").strip())

    @property
    def distribution(self) -> str:
        """The name of the distribution, and of its directory."""
        return f"storekit-{_normalized(self.name)}"

    @property
    def module(self) -> str:
        """The name of the package to import."""
        return f"storekit_{self.name.replace('-', '_')}"

    @property
    def prefix(self) -> str:
        """What the names of its classes begin with."""
        return "".join(word.capitalize() for word in re.split("[-_]", self.name))

    def files(self) -> dict[str, str]:
        """Give the text of each file by its path below the directory."""
        templates = importlib.resources.files("storekit.cli") / "templates"
        values = self._values()
        return {
            path.format(module=self.module): Template(
                (templates / template).read_text(encoding="utf-8")
            ).substitute(values)
            if template
            else ""
            for path, template in _FILES.items()
        }

    def write(self, parent: Path) -> Path:
        """Write the package: whole, or not at all.

        Args:
            parent: An existing directory.

        Returns:
            The new directory.

        Raises:
            FileExistsError: There is something of its name; it is left as it is.
            OSError: It cannot be written. Nothing is left behind.
        """
        final = parent / self.distribution
        if os.path.lexists(final):
            raise FileExistsError(None, "exists already, and is left as it is", str(final))
        # Beside it, so that the last step is one rename.
        aside = parent / f".{self.distribution}-{secrets.token_hex(8)}"
        try:
            for path, text in self.files().items():
                file = aside / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            aside.rename(final)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return final

    def _values(self) -> Mapping[str, str]:
        release = importlib.metadata.version("storekit").split(".")
        return {
            "name": self.name,
            "distribution": self.distribution,
            "module": self.module,
            "prefix": self.prefix,
            "scheme": _scheme(self.name),
            "version": ".".join(release[:2]),
            "authors": self._authors(),
        }

    def _authors(self) -> str:
        if not self.author:
            return ""
        name, mail = parseaddr(self.author)
        known = {"name": name, "email": mail} if name and "@" in mail else {"name": self.author}
        # A text of JSON without escapes of its own is one of TOML.
        pairs = ", ".join(
            f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in known.items()
        )
        return f"authors = [{{ {pairs} }}]\n"


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise Misuse(
            f"{name!r} cannot be the name of a driver",
            hint=f"lower case letters and digits, - or _ between them, a letter first,"
            f" {_LONGEST} characters at most",
        )
    if keyword.iskeyword(name) or name in _RESERVED:
        raise Misuse(f"{name!r} says nothing about a backend", hint="choose another name")
    owner = _taken().get(_normalized(name)) or _schemes().get(_scheme(name))
    if owner:
        raise Misuse(f"the name {name!r} is taken by {owner}", hint="choose another name")


def _taken() -> dict[str, str]:
    """Give whose the names are that are in use: drivers, and storekit's own extras."""
    extras = importlib.metadata.metadata("storekit").get_all("Provides-Extra") or []
    taken = dict.fromkeys(map(_normalized, extras), "storekit")
    for driver in drivers_installed():
        taken[_normalized(driver.name)] = driver.distribution
    return taken


def _schemes() -> dict[str, str]:
    """Give whose the URI schemes are that are in use."""
    found = {"vsphere": "storekit"}  # of a driver that is planned
    for driver in drivers_installed():
        with suppress(ConfigurationError):
            found |= dict.fromkeys(load_driver(driver.name).schemes, driver.distribution)
    return found


def _scheme(name: str) -> str:
    return name.replace("_", "-")  # RFC 3986, 3.1, has no _


def _normalized(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()  # PEP 503
