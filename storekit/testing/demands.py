"""Demands: how a case says what must be, and fails where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storekit.errors import StoreError
from storekit.testing.case import Over, Violation
from storekit.testing.journal import Client, Journal, shown

__all__ = ["Caught", "Demands"]


@dataclass
class Caught:
    """The error that ``Context.expect_error`` waited for."""

    error: BaseException | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return str(self.error)


class Demands:
    """The part of a context that judges.

    Args:
        journal: Of the case: it tells what came out of a store.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        """What the case asked, and what it got."""

    def check(self, holds: object, expected: object, actual: object, did: str = "") -> None:
        """Demand something.

        Args:
            holds: Whether it holds.
            expected: What the contract says.
            actual: What happened.
            did: What was done.

        Raises:
            Violation: It does not hold.
        """
        if not holds:
            raise Violation(expected, actual, did)

    def same(self, actual: object, expected: object, what: str) -> None:
        """Demand that two things are equal; of long bytes the first difference is shown.

        Args:
            actual: What it is.
            expected: What it should be.
            what: What it is about.

        Raises:
            Violation: They differ.
        """
        if type(actual) is type(expected) and actual == expected:
            return
        if isinstance(actual, bytes) and isinstance(expected, bytes):
            at = next(
                (i for i, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b),
                min(len(actual), len(expected)),
            )
            raise Violation(
                f"{what}: {len(expected)} bytes",
                f"{len(actual)} bytes, different from byte {at} on",
            )
        raise Violation(f"{what}: {shown(expected)}", shown(actual))

    @contextmanager
    def expect_error(self, *kinds: type[BaseException], did: str = "") -> Iterator[Caught]:
        """Demand that the block raises one of these, or a subclass.

        Args:
            *kinds: The kinds. BackendError has to be named to be allowed.
            did: What is done, for the report.

        Raises:
            Violation: It raises nothing, or something else.
        """
        names = " or ".join(kind.__name__ for kind in kinds)
        self.journal.named.update(kinds)
        caught = Caught()
        try:
            yield caught
        except (Violation, Over):
            raise
        except kinds as error:
            caught.error = error
            return
        except StoreError as error:
            raise Violation(names, f"{type(error).__name__}: {error}", did) from error
        except BaseException as error:
            if not self.journal.came_from_a_store(error):
                raise
            raise Violation(names, f"{type(error).__name__}: {error}", did) from error
        raise Violation(names, "no error", did)

    def own(self, error: BaseException) -> BaseException:
        """Declare an exception that the case raises itself inside a verb.

        Args:
            error: The exception.

        Returns:
            The same.
        """
        self.journal.own.append(error)
        return error

    @contextmanager
    def untouched(self, client: Client, did: str = "") -> Iterator[None]:
        """Demand that the block asks nothing of the driver: no I/O of any verb.

        Args:
            client: The client used in the block, opened before.
            did: What is done, for the report.

        Raises:
            Violation: A verb of the driver was called.
        """
        before = len(client.asked)
        yield
        if asked := client.asked[before:]:
            raise Violation("no I/O", f"the driver's {', '.join(asked)} was called", did)
