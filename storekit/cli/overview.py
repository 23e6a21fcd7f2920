"""The verbs that show what there is: stores, drivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import click

from storekit.capabilities import GATES, Capability, Limits
from storekit.cli import output
from storekit.cli.options import verb
from storekit.cli.session import Session
from storekit.errors import StoreError
from storekit.loader import drivers_installed
from storekit.store import Store
from storekit.values import InstalledDriver

__all__ = ["drivers", "stores"]

_COLOURS = {"ready": "green", "degraded": "yellow", "failed": "red"}


@click.command()
@verb
def stores(session: Session) -> None:
    """Open the configured stores and show what each can do."""
    with session.stores() as configured:
        for index, name in enumerate(configured):
            if not session.json:
                _show_store(configured[name], default=name == configured.default, first=not index)
        if session.json:
            output.document(
                [
                    {
                        "name": name,
                        "driver": configured[name].driver,
                        "default": name == configured.default,
                        "state": configured[name].state,
                        **_abilities(configured[name])._asdict(),
                    }
                    for name in configured
                ]
            )


@click.command()
@verb
def drivers(session: Session) -> None:
    """Show the installed drivers, and why one cannot be loaded."""
    found = drivers_installed()
    if session.json:
        output.document(found)
        return
    rows = [(one.name, one.version, one.distribution, _loadable(one)) for one in found]
    output.table(["DRIVER", "VERSION", "DISTRIBUTION", "STATE"], rows)


class _Abilities(NamedTuple):
    """What a store can do; nothing, no limits, and the next step, of one that cannot be opened."""

    hint: str | None
    capabilities: Capability
    withdrawn: Mapping[Capability, str]
    limits: Limits | None


def _abilities(store: Store) -> _Abilities:
    try:
        return _Abilities(None, store.capabilities, store.withdrawn, store.limits)
    except StoreError as error:  # its state says why
        return _Abilities(error.hint, Capability(0), {}, None)


def _show_store(store: Store, *, default: bool, first: bool) -> None:
    state, abilities = store.state, _abilities(store)
    shown = output.one_line(f"{state} ({abilities.hint})" if abilities.hint else state)
    coloured = click.style(shown, fg=_COLOURS.get(state.partition(":")[0]))
    title = click.style(store.name, bold=True) + (" (default)" if default else "")
    if not first:
        output.line("")
    output.line(f"{title}  {store.driver}  {coloured}")
    if abilities.limits is None:
        return
    output.line(f"  can       {_names(abilities.capabilities & GATES)}")
    output.line(f"  promises  {_names(abilities.capabilities & ~GATES)}")
    for flag, reason in abilities.withdrawn.items():
        output.line(f"  cannot    {flag.name}: {output.one_line(reason)}")


def _names(capabilities: Capability) -> str:
    return " ".join(str(flag.name) for flag in capabilities) or "-"


def _loadable(driver: InstalledDriver) -> str:
    if driver.loadable:
        return "ready"
    hint = f" ({driver.hint})" if driver.hint else ""
    return output.one_line(f"{driver.reason}{hint}")
