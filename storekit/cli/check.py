"""The verb ``check``: one real write, read and delete per store."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import click

from storekit.capabilities import Capability
from storekit.cli import output
from storekit.cli.failures import EXIT_FAILED, Failure
from storekit.cli.options import store_names, verb
from storekit.cli.session import Session, named
from storekit.errors import DataError, OutcomeUnknown, StoreError
from storekit.location import Location
from storekit.store import Store

__all__ = ["check"]

_SIZE = 70_001


@dataclass
class Finding:
    """What the check of one store found."""

    store: str
    """Its name."""
    ok: bool = False
    """Whether everything that was tried went well."""
    seconds: float = 0.0
    """How long it took."""
    steps: list[str] = field(default_factory=list)
    """What was tried and went well."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not tried, and why."""
    error: str | None = None
    """The kind of the error."""
    message: str | None = None
    """What went wrong."""
    hint: str | None = None
    """The next step."""


@click.command()
@click.argument("stores", metavar="[STORE]...", nargs=-1, shell_complete=store_names)
@verb
def check(session: Session, stores: tuple[str, ...]) -> None:
    """Write, read and delete a small image in each STORE.

    Without STORE all are checked. The image has an id of its own; it is read back and compared. A
    store that cannot be written is only read.
    """
    findings = []
    with session.stores() as configured:
        chosen = [named(configured, name) for name in dict.fromkeys(stores or configured)]
        for store in chosen:
            finding = _checked(store)
            findings.append(finding)
            if not session.json:
                _show(finding)
    if session.json:
        output.document(findings)
    if not all(finding.ok for finding in findings):
        session.exit_code = EXIT_FAILED


def _checked(store: Store) -> Finding:
    finding = Finding(store.name)
    begin = time.monotonic()
    try:
        capabilities = store.capabilities  # opens it
        finding.steps.append("open")
        if Capability.ADD | Capability.DELETE in capabilities:
            _write(store, finding)
        else:
            _read_only(store, finding)
        finding.ok = True
    except StoreError as error:
        failure = Failure.of(error)
        finding.error, finding.message = failure.error, failure.message
        finding.hint = failure.hint
    finding.seconds = round(time.monotonic() - begin, 3)
    return finding


def _write(store: Store, finding: Finding) -> None:
    image_id = f"storekit-check-{uuid.uuid4()}"[: store.limits.max_id_length]
    data = os.urandom(_SIZE)
    expect = {"sha256": hashlib.sha256(data).hexdigest()}
    location = None
    try:
        location = store.add(image_id, data, hashes=tuple(expect), expect=expect).location
        finding.steps.append("add")
        size = store.get_size(location)
        if size != _SIZE:
            raise DataError(
                f"the size of {_SIZE} bytes stored is said to be {size}",
                store=store.name,
                driver=store.driver,
                operation="get_size",
                location=location,
            )
        finding.steps.append("get_size")
        if Capability.GET in store.capabilities:
            store.verify(location, expect)
            finding.steps.append("get")
        else:
            finding.skipped["get"] = _why(store, Capability.GET)
        store.delete(location)
        finding.steps.append("delete")
    except BaseException as error:
        _removed(store, image_id, location, error)
        raise


def _removed(store: Store, image_id: str, location: Location | None, why: BaseException) -> None:
    """Delete the image of a check that did not come to its end, wherever it stopped."""
    places = [location] if location is not None else []
    # An add that failed stored nothing, but for these: one may have succeeded unseen.
    unseen = isinstance(why, OutcomeUnknown) or not isinstance(why, Exception)
    with suppress(StoreError):
        if not places and unseen and Capability.LIST in store.capabilities:
            places = [image.location for image in store.list() if image.image_id == image_id]
    for place in places:
        try:
            # NotFound: the delete itself was the step that failed, after all was done.
            with suppress(FileNotFoundError):
                store.delete(place)
        except StoreError as error:
            if isinstance(why, StoreError):
                why.hint = (
                    f"its image {place} is still there, it could not be deleted: {error.message}"
                )


def _read_only(store: Store, finding: Finding) -> None:
    for gate in (Capability.ADD, Capability.DELETE):
        if gate in store.capabilities:
            finding.skipped[str(gate.name).lower()] = "what is added could not be deleted again"
        else:
            finding.skipped[str(gate.name).lower()] = _why(store, gate)
    if Capability.LIST not in store.capabilities:
        finding.skipped["get"] = "no image is known: the store cannot list"
        return
    first = next(iter(store.list()), None)
    finding.steps.append("list")
    if first is None:
        finding.skipped["get"] = "there is no image"
        return
    store.get_size(first.location)
    finding.steps.append("get_size")
    if Capability.GET not in store.capabilities:
        finding.skipped["get"] = _why(store, Capability.GET)
        return
    with store.get(first.location) as reader:
        next(reader, b"")
    finding.steps.append("get")


def _why(store: Store, gate: Capability) -> str:
    return output.one_line(store.withdrawn.get(gate, f"the {store.driver} driver never can"))


def _show(finding: Finding) -> None:
    state = click.style("ok", fg="green") if finding.ok else click.style("failed", fg="red")
    steps = ", ".join(finding.steps) or "nothing"
    title = click.style(finding.store, bold=True)
    output.line(f"{title}  {state}  {finding.seconds:.3f} s  {steps}")
    for step, reason in finding.skipped.items():
        output.line(f"  not checked: {step}: {reason}")
    if finding.message:
        output.line(f"  {finding.message}" + (f" ({finding.hint})" if finding.hint else ""))
