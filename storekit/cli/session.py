"""Session: what every verb of one run shares: where the stores come from, and how it talks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from storekit.cli.failures import Failure, Misuse, report
from storekit.cli.output import one_line
from storekit.errors import StoreError, Unsupported
from storekit.store import Store
from storekit.stores import Stores

__all__ = ["Session", "named"]

T = TypeVar("T")


@dataclass
class Session:
    """The options that every verb takes."""

    config: Path | None = None
    """The configuration file; None is the usual one."""
    json: bool = False
    """Whether one JSON document is printed instead of text for people."""
    debug: bool = False
    """Whether tracebacks and the log are shown."""
    progress: bool | None = None
    """Whether a progress bar is drawn; None is where there is a terminal."""
    exit_code: int = 0
    """What the command exits with if nothing else is raised."""

    @contextmanager
    def stores(self) -> Iterator[Stores]:
        """Give the configured stores, and close them at the end.

        Raises:
            ConfigurationError: The configuration cannot be read, or is wrong.
        """
        self._show_log()
        with Stores.from_config(self.config) as stores:
            yield stores

    def holder(self, stores: Stores, location: str, store: str | None) -> Store:
        """Find the store that has an image.

        Args:
            stores: The configured stores.
            location: Where the image is.
            store: The store that the user named.

        Raises:
            Misuse: There is no store of this name.
            StoreError: As ``Stores.owner``.
        """
        return stores.owner(location) if store is None else named(stores, store)

    def gather(
        self, stores: Stores, store: str | None, ask: Callable[[Store], Iterable[T]]
    ) -> list[tuple[Store, T]]:
        """Ask one store, or all. Of all, one that fails is reported and leaves the others alone.

        Args:
            stores: The configured stores.
            store: The store that the user named; None is all.
            ask: Asks one of them.

        Returns:
            The answers, each with the store that gave it.

        Raises:
            Misuse: There is no store of this name.
            StoreError: The only store failed.
        """
        chosen = [named(stores, name) for name in (stores if store is None else [store])]
        answers: list[tuple[Store, T]] = []
        for one in chosen:
            try:
                answers.extend((one, answer) for answer in ask(one))
            except StoreError as error:
                if len(chosen) == 1:
                    raise
                self._passed_over(one, error)
        return answers

    def note(self, text: str) -> None:
        """Tell people something on standard error; programs are not told.

        Args:
            text: One sentence.
        """
        if not self.json:
            sys.stderr.write(f"storekit: {one_line(text)}\n")

    def _passed_over(self, store: Store, error: StoreError) -> None:
        # What a store never had does not make the answer of all stores a failure.
        if isinstance(error, Unsupported):
            self.note(f"store {store.name!r} is left out: {error.message}")
            return
        report(error, as_json=self.json, debug=self.debug)
        self.exit_code = self.exit_code or Failure.of(error).exit_code

    def _show_log(self) -> None:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("storekit: %(levelname)s: %(message)s"))
        log = logging.getLogger("storekit")
        log.addHandler(handler)
        # Standard error is for the error document alone then, unless somebody wants to see more.
        quiet = logging.CRITICAL if self.json else logging.WARNING
        log.setLevel(logging.DEBUG if self.debug else quiet)


def named(stores: Stores, name: str) -> Store:
    """Find a store by its name.

    Args:
        stores: The configured stores.
        name: What the user wrote.

    Raises:
        Misuse: There is no store of this name.
    """
    if name not in stores:
        raise Misuse(f"there is no store {name!r}", hint=f"there are {', '.join(stores)}")
    return stores[name]
