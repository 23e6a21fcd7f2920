"""The verb that begins a driver of somebody else's: new-driver."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import sys
from pathlib import Path

import click

from storekit.cli import output
from storekit.cli.options import verb
from storekit.cli.session import Session
from storekit.cli.skeleton import Skeleton

__all__ = ["new_driver"]


@click.command("new-driver")
@click.argument("name")
@click.option(
    "--directory",
    metavar="D",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where to make it [default: here].",
)
@click.option("--author", metavar="WHO", help="'Ada Lovelace <ada@example.org>'.")
@verb
def new_driver(session: Session, name: str, directory: Path, author: str | None) -> None:
    """Make a package storekit-NAME with a driver that works.

    The driver keeps images as files, and passes level core of the conformance kit. What knows the
    backend is marked REPLACE. Nothing that exists is overwritten.
    """
    skeleton = Skeleton.of(name, author)
    made = skeleton.write(directory)
    steps = _steps(skeleton, made)
    if session.json:
        output.document(
            {
                "name": skeleton.name,
                "distribution": skeleton.distribution,
                "directory": str(made),
                "files": sorted(skeleton.files()),
                "next": steps,
            }
        )
        return
    output.line(f"made {output.printable(str(made))}; next:")
    for step in steps:
        output.line(f"  {output.printable(step)}")
    output.line(f"then replace what src/{skeleton.module}/driver.py marks with REPLACE,")
    output.line("and choose a licence: there is none yet")


def _steps(skeleton: Skeleton, made: Path) -> list[str]:
    harness = f"tests.harness:{skeleton.prefix}Harness"
    return [
        f"cd {shlex.quote(str(made))}",
        *_environment(),
        "pip install -e '.[dev]'",
        "pytest",
        f"storekit conform --harness {harness} --level core",
    ]


def _environment() -> list[str]:
    """Give the steps to a virtual environment that has this storekit."""
    active = os.environ.get("VIRTUAL_ENV")
    if active and os.path.realpath(active) == os.path.realpath(sys.prefix):
        return []
    steps = ["python3 -m venv .venv && . .venv/bin/activate"]
    origin = _origin()
    if origin:
        requirement = shlex.quote(f"storekit[cli,testing] @ {origin}")
        steps.append(f"pip install {requirement}")
    return steps


def _origin() -> str | None:
    """Tell where this storekit was installed from, if not from a package index."""
    # https://packaging.python.org/en/latest/specifications/direct-url/
    text = importlib.metadata.distribution("storekit").read_text("direct_url.json")
    if text is None:
        return None
    document = json.loads(text)
    version = document.get("vcs_info")
    url = str(document["url"])
    return f"{version['vcs']}+{url}@{version['commit_id']}" if version else url
