"""Secrecy: the secrets among a driver's options, and texts without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

__all__ = ["blot", "secrets_of"]

_SHORTEST = 4  # characters; a shorter secret would blot out half of every message


def secrets_of(options: object) -> Iterator[str]:
    """Go through the secrets in a driver's options, at any depth.

    Args:
        options: A ``DriverOptions``, or any value of one.
    """
    # Told by its method, so that the frame need not import pydantic.
    reveal = getattr(options, "get_secret_value", None)
    if reveal is not None:
        secret = reveal()
        yield secret.decode(errors="replace") if isinstance(secret, bytes) else str(secret)
    elif isinstance(options, Mapping):
        for value in options.values():
            yield from secrets_of(value)
    elif isinstance(options, list | tuple | set | frozenset):
        for value in options:
            yield from secrets_of(value)
    elif hasattr(options, "model_fields_set"):
        yield from secrets_of(vars(options))


def blot(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets in a text that somebody will read.

    Args:
        text: The text.
        secrets: What must not be in it.

    Returns:
        The text with ``***`` in their place.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return text
