"""Mutants of refusals and errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from storekit.capabilities import Capability
from storekit.errors import (
    BackendError,
    Forbidden,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)
from storekit.location import Location
from storekit.store import Store
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Answer, Pool, Refusal
from storekit.testing.zoo.mutants import mutant

Given = Any  # whatever a caller gives: the mutants pass it on


class _Accepting(Store):
    """A frame that can forget a gate."""

    @contextmanager
    def _with(self, gate: Capability) -> Iterator[None]:
        driver = self.opening.instance()
        before = driver.capabilities
        driver.capabilities |= gate
        try:
            yield
        finally:
            driver.capabilities = before


@mutant(kills="NEG-01")
class AcceptsAdd(_Accepting):
    """add works without ADD."""

    def add(self, *args: Given, **options: Given) -> Given:
        """Forget the gate."""
        with self._with(Capability.ADD):
            return super().add(*args, **options)


@mutant(kills="NEG-02")
class AcceptsDelete(_Accepting):
    """delete works without DELETE."""

    def delete(self, *args: Given, **options: Given) -> None:
        """Forget the gate."""
        with self._with(Capability.DELETE):
            super().delete(*args, **options)


@mutant(kills="NEG-03")
class AcceptsGet(_Accepting):
    """get works without GET."""

    def get(self, *args: Given, **options: Given) -> Given:
        """Forget the gate."""
        with self._with(Capability.GET):
            return super().get(*args, **options)


@mutant(kills="NEG-04")
class PositionalBypass(_Accepting):
    """An offset by position passes the gate."""

    def get(self, location: Given, *args: Given, **options: Given) -> Given:
        """Look at the keywords only."""
        with self._with(Capability.GET_RANGE if args else Capability(0)):
            return super().get(location, *args, **options)


@mutant(kills="NEG-05")
class AcceptsLength(_Accepting):
    """A length passes the gate."""

    def get(
        self, location: Given, offset: Given = 0, length: Given = None, **options: Given
    ) -> Given:
        """Look at the offset only."""
        with self._with(Capability(0) if offset else Capability.GET_RANGE):
            return super().get(location, offset, length, **options)


@mutant(kills="NEG-06")
class AcceptsUnknownSize(_Accepting):
    """A stream is added without ADD_UNKNOWN_SIZE."""

    def add(self, *args: Given, **options: Given) -> Given:
        """Forget the gate."""
        with self._with(Capability.ADD_UNKNOWN_SIZE):
            return super().add(*args, **options)


@mutant(kills="NEG-07")
class AcceptsAcl(_Accepting):
    """set_acls works without ACL."""

    def set_acls(self, *args: Given, **options: Given) -> None:
        """Forget the gate."""
        with self._with(Capability.ACL):
            super().set_acls(*args, **options)


@mutant(kills="NEG-08")
class SilentRefusal(Store):
    """A refusal says nothing but that."""

    def delete(self, *args: Given, **options: Given) -> None:
        """Say as little as can be."""
        try:
            super().delete(*args, **options)
        except Unsupported:
            raise Unsupported("not supported") from None


@mutant(kills="NEG-09")
class FrozenCapabilities(MemoryDriver):
    """What is withdrawn after the store was opened is not enforced."""

    def narrow(self, capability: Capability, reason: str) -> None:
        """Keep the reason only."""
        for flag in capability:
            self.withdrawn[flag] = reason


@mutant(kills="ERR-01")
class RawOSError(Store):
    """An operating system's error comes out of get_size."""

    def get_size(self, *args: Given, **options: Given) -> int:
        """Raise the builtin."""
        try:
            return super().get_size(*args, **options)
        except NotFound as error:
            raise FileNotFoundError(errno.ENOENT, error.message) from None


@mutant(kills="ERR-01")
class RawKeyError(MemoryDriver):
    """An answer that misses a field is a KeyError that nobody translates."""

    def _head(self, location: Location) -> Answer:
        answer = self._pool.request("HEAD", self._path("images", self.image_id(location)))
        if answer.status == 404:  # noqa: PLR2004 - HTTP
            raise KeyError("Content-Length")
        return answer


@mutant(kills="ERR-02")
class DoesNotPickle(MemoryDriver):
    """An error is of a class that pickle does not find."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Make a class on the spot."""

        class Missing(NotFound):
            pass

        if isinstance(error, Refusal) and error.status == 404:  # noqa: PLR2004 - HTTP
            return Missing("no such image")
        return super().translate(error, operation)


class _Mistranslating(MemoryDriver):
    """A driver that takes one status for another error."""

    status = 0
    taken_for: type[StoreError] = StoreError

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Get one wrong."""
        if isinstance(error, Refusal) and error.status == self.status:
            return self.taken_for(str(error))
        return super().translate(error, operation)


@mutant(kills=("ERR-03", "DEL-08"))
class DeniedIsMissing(_Mistranslating):
    """403 is taken for NotFound."""

    status = 403
    taken_for = NotFound


@mutant(kills="ERR-03")
class UnknownUserIsForbidden(_Mistranslating):
    """401 is taken for Forbidden."""

    status = 401
    taken_for = Forbidden


@mutant(kills="ERR-04")
class PreconditionIsForbidden(_Mistranslating):
    """412 on a commit is taken for Forbidden."""

    status = 412
    taken_for = Forbidden


@mutant(kills="ERR-05")
class NoSpaceIsUnavailable(_Mistranslating):
    """507 is taken for Unavailable, and tried again for ever."""

    status = 507
    taken_for = Unavailable


@mutant(kills="ERR-06")
class ServerErrorIsFinal(_Mistranslating):
    """500 is taken for something that nobody translated."""

    status = 500
    taken_for = BackendError


@mutant(kills="DEL-07")
class InUseIsUnavailable(_Mistranslating):
    """409 for a held image is taken for Unavailable."""

    status = 409
    taken_for = Unavailable


@mutant(kills="ERR-07")
class ReadOnlyIsUnavailable(DirectoryDriver):
    """EROFS and EACCES are taken for Unavailable."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Get it wrong."""
        if isinstance(error, OSError) and error.errno in {errno.EROFS, errno.EACCES}:
            return Unavailable("try again")
        return super().translate(error, operation)


@mutant(kills="ERR-07")
class ReadOnlyIsUnavailableOnTheWire(_Mistranslating):
    """403 is taken for Unavailable."""

    status = 403
    taken_for = Unavailable


@mutant(kills="ERR-08")
class FollowsWithCredentials(MemoryDriver):
    """A redirect is followed to whatever host, with the token."""

    def _head(self, location: Location) -> Answer:
        path = self._path("images", self.image_id(location))
        answer = self._pool.request("HEAD", path)
        for _ in range(self.limits.max_attempts):
            if answer.status != 302:  # noqa: PLR2004 - HTTP
                break
            url = urlsplit(answer.headers["Location"])
            token = self.config.token.get_secret_value()
            pool = Pool(url.hostname or "", url.port or 80, token, self.limits)
            answer = pool.request("HEAD", url.path)
            pool.close()
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise Refusal(answer.status, "")
        return answer


@mutant(kills="SIZ-04")
class HeadIsMissing(MemoryDriver):
    """Whatever is answered to a HEAD is taken for NotFound."""

    def _head(self, location: Location) -> Answer:
        try:
            return super()._head(location)
        except Refusal as refusal:
            raise NotFound(str(refusal)) from refusal
