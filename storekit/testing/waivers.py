"""Waivers: failures that somebody signed for, with a reason and until a date."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from storekit.errors import ConfigurationError
from storekit.testing.result import Outcome, Result

__all__ = ["Waiver", "apply_waivers", "overdue", "read_waivers"]

_FIELDS = {"id": str, "reason": str, "link": str, "expires": date}


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One signed failure."""

    id: str
    """Id of the case."""
    reason: str
    """Why it is accepted for now."""
    link: str
    """Where it is being worked on."""
    expires: date
    """The last day on which it holds."""


def read_waivers(path: str | os.PathLike[str], known: Container[str]) -> dict[str, Waiver]:
    """Read a file of waivers: a TOML array of tables ``[[waiver]]``.

    Args:
        path: The file.
        known: The ids of all cases.

    Returns:
        The waivers by id.

    Raises:
        ConfigurationError: It cannot be read, or a waiver is not complete.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{os.fspath(path)}: {error}") from error
    entries = document.pop("waiver", [])
    if document or not isinstance(entries, list):
        raise ConfigurationError(f"{os.fspath(path)}: only tables [[waiver]] may be in it")
    waivers: dict[str, Waiver] = {}
    for entry in entries:
        waiver = _checked(os.fspath(path), entry)
        if waiver.id not in known or waiver.id in waivers:
            what = "there is no such case" if waiver.id not in known else "it is there twice"
            raise ConfigurationError(f"{os.fspath(path)}: waiver {waiver.id}: {what}")
        waivers[waiver.id] = waiver
    return waivers


def apply_waivers(
    result: Result, waivers: Mapping[str, Waiver], today: date | None = None
) -> Result:
    """Judge a result again in the light of the waivers.

    Args:
        result: What the case found.
        waivers: The waivers by id.
        today: The day, for tests.

    Returns:
        WAIVED in place of FAIL. A waiver that is over, or that nobody needs any more, is a FAIL.
    """
    waiver = waivers.get(result.case.id)
    if waiver is None:
        return result
    if result.outcome is Outcome.PASS:
        return replace(
            result,
            outcome=Outcome.FAIL,
            reason="it passes, so the waiver must go",
            expected=f"a failure: {waiver.reason}",
            actual="it passes",
        )
    if result.outcome is Outcome.ERROR:
        return result
    if waiver.expires < (today or datetime.now(UTC).date()):
        why = f"{result.reason} (waived until {waiver.expires})"
        return replace(result, outcome=Outcome.FAIL, reason=why)
    if result.outcome is not Outcome.FAIL:
        return result
    return replace(
        result,
        outcome=Outcome.WAIVED,
        reason=f"{waiver.reason} ({waiver.link}, until {waiver.expires}): {result.reason}",
    )


def overdue(
    waivers: Mapping[str, Waiver], chosen: Container[str], today: date | None = None
) -> list[str]:
    """Name the waivers that are over and whose cases do not run: nobody else would tell.

    Args:
        waivers: The waivers by id.
        chosen: The ids of the cases that run.
        today: The day, for tests.

    Returns:
        A line for each.
    """
    day = today or datetime.now(UTC).date()
    return [
        f"the waiver of {waiver.id} is over since {waiver.expires}"
        for waiver in waivers.values()
        if waiver.expires < day and waiver.id not in chosen
    ]


def _checked(path: str, entry: object) -> Waiver:
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise ConfigurationError(f"{path}: a waiver has exactly {', '.join(_FIELDS)}")
    for name, kind in _FIELDS.items():
        if not isinstance(entry[name], kind) or not entry[name]:
            hint = "a date as 2026-12-31" if kind is date else "a text"
            raise ConfigurationError(f"{path}: waiver {entry['id']}: {name} is wrong", hint=hint)
    # A datetime is a date too.
    expires = entry["expires"]
    if isinstance(expires, datetime):
        expires = expires.date()
    return Waiver(id=entry["id"], reason=entry["reason"], link=entry["link"], expires=expires)
