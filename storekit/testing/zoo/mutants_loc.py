"""Mutants of locations."""

from __future__ import annotations

import logging
import os
from typing import Any
from urllib.parse import unquote

from storekit.context import RequestContext
from storekit.errors import StoreError
from storekit.location import Location
from storekit.source import Source
from storekit.store import Store
from storekit.testing.reference import MemoryDriver
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None


@mutant(kills="LOC-01")
class LocationOfThisProcess(MemoryDriver):
    """A location works only in the process that made it."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Write the process into the location."""
        super().add(image_id, source, context)
        process = {"process": str(os.getpid())}
        return Location.build("memory", self.config.space, image_id, query=process)

    def owns(self, location: Location) -> bool:
        """Own what this process wrote."""
        return location.query.get("process") == str(os.getpid())


@mutant(kills="LOC-02")
class ExampleWithCredential(MemoryDriver):
    """The example location has a credential in it."""

    example_locations = ("memory://user:password@images/cirros",)


@mutant(kills="LOC-03")
class WrittenInTwoWays(MemoryDriver):
    """What add returns ends in a question mark, which nobody builds."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Write an empty query."""
        return Location(f"{super().add(image_id, source, context)}?")


@mutant(kills="LOC-04")
class OwnsWhateverItReads(MemoryDriver):
    """Every location of the namespace is taken, whatever its path."""

    def owns(self, location: Location) -> bool:
        """Look at the namespace only."""
        return location.authority == self.config.space


@mutant(kills="LOC-05")
class TakesForeignSchemes(Store):
    """A location of another scheme is read as one of ours."""

    def get_size(self, location: Any, **options: Any) -> int:  # noqa: ANN401 - as Store.get_size
        """Look at the path only."""
        behind = str(location).split("://", 1)[-1]
        return super().get_size(f"memory://{behind}", **options)


@mutant(kills="LOC-06")
class DecodesTwice(MemoryDriver):
    """What is behind a percent sign is decoded twice."""

    def image_id(self, location: Location) -> str:
        """Decode again."""
        return unquote(location.segments[-1])


@mutant(kills="LOC-07")
class IndexErrorForNoPath(MemoryDriver):
    """A location without a path is an IndexError."""

    def owns(self, location: Location) -> bool:
        """Look at the first segment, whether there is one or not."""
        return bool(location.segments[0]) and super().owns(location)


@mutant(kills="LOC-08")
class SecretInError(Store):
    """An error shows the token."""

    def get_size(self, *args: Any, **options: Any) -> int:  # noqa: ANN401 - as Store.get_size
        """Write it into the hint."""
        try:
            return super().get_size(*args, **options)
        except StoreError as error:
            config: Any = self.opening.instance().config
            error.hint = f"the token was {config.token.get_secret_value()}"
            raise


@mutant(kills="LOC-08")
class SecretInLog(MemoryDriver):
    """A debug line shows the token."""

    def open(self) -> None:
        """Log the options."""
        super().open()
        token = self.config.token.get_secret_value()
        logging.getLogger(__name__).debug("opened with token %s", token)


class _Changeable(Location):
    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@mutant(kills="LOC-09")
class ChangeableLocation(MemoryDriver):
    """What add returns can be changed."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Return something else than a Location."""
        return _Changeable(str(super().add(image_id, source, context)))
