"""The verbs that show what there is: stores, drivers."""

from __future__ import annotations

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
                        "hint": _hint(configured[name]),
                        **_abilities(configured[name]),
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


def _abilities(store: Store) -> dict[str, object]:
    """Tell what a store can do; nothing, and no limits, of one that cannot be opened."""
    capabilities = Capability(0)
    withdrawn: dict[Capability, str] = {}
    limits: Limits | None = None
    try:
        capabilities = store.capabilities
        withdrawn = store.withdrawn
        limits = store.limits
    except StoreError:
        pass  # its state says why
    return {"capabilities": capabilities, "withdrawn": withdrawn, "limits": limits}


def _hint(store: Store) -> str | None:
    """Tell the next step of whoever has a store that cannot be opened."""
    try:
        _ = store.capabilities  # which opens it
    except StoreError as error:
        return error.hint
    return None


def _show_store(store: Store, *, default: bool, first: bool) -> None:
    state, hint = store.state, _hint(store)
    shown = output.one_line(f"{state} ({hint})" if hint else state)
    coloured = click.style(shown, fg=_COLOURS.get(state.partition(":")[0]))
    title = click.style(store.name, bold=True) + (" (default)" if default else "")
    if not first:
        output.line("")
    output.line(f"{title}  {store.driver}  {coloured}")
    try:
        capabilities = store.capabilities
    except StoreError:
        return
    output.line(f"  can       {_names(capabilities & GATES)}")
    output.line(f"  promises  {_names(capabilities & ~GATES)}")
    for flag, reason in store.withdrawn.items():
        output.line(f"  cannot    {flag.name}: {output.one_line(reason)}")


def _names(capabilities: Capability) -> str:
    return " ".join(str(flag.name) for flag in capabilities) or "-"


def _loadable(driver: InstalledDriver) -> str:
    if driver.loadable:
        return "ready"
    hint = f" ({driver.hint})" if driver.hint else ""
    return output.one_line(f"{driver.reason}{hint}")
