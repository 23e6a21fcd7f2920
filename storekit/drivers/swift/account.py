"""Account: one account of a Swift server, as one user talks to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from storekit.capabilities import Limits
from storekit.drivers.swift.answers import Answer, Facts, Head, items_of
from storekit.drivers.swift.faults import not_whole, refused, status_of
from storekit.drivers.swift.identity import Identity
from storekit.drivers.swift.wire import Reply, Wire
from storekit.errors import NotFound, StoreError, Unavailable
from storekit.retry import Clock, RetryPolicy

__all__ = ["Account"]

_UNAUTHORIZED, _CONFLICT, _REDIRECT, _SERVER_ERROR = 401, 409, 300, 500


class Account:
    """An account. Thread-safe; belongs to one process.

    Args:
        wire: What sends.
        identity: Who we are.
        limits: Attempts and timeouts.
        name: The account, if it is not the identity's own: the last part of its URL.
        shared: Whether images share their containers, which are there without any image too.
    """

    def __init__(
        self,
        wire: Wire,
        identity: Identity,
        limits: Limits,
        name: str | None = None,
        *,
        shared: bool,
    ) -> None:
        self._wire = wire
        self._identity = identity
        self._limits = limits
        self._name = name
        self._shared = shared
        self._policy = RetryPolicy(limits.max_attempts, limits.op_budget)

    def named(self, name: str) -> Account:
        """Give another account of the same server, for the same user.

        Args:
            name: The last part of its URL.
        """
        return Account(self._wire, self._identity, self._limits, name, shared=self._shared)

    def as_user(self, identity: Identity) -> Account:
        """Give the same account for another user.

        Args:
            identity: The user.
        """
        return Account(self._wire, identity, self._limits, self.name(), shared=self._shared)

    def facts(self, url: str) -> Facts:
        """Ask the server what it is, by its ``/info``.

        Args:
            url: As of ``url``.

        Returns:
            What it says; nothing where it has no such page.

        Raises:
            StoreError: There is no answer just now.
        """
        parts = urlsplit(url)
        clock = Clock(self._limits.io_timeout)
        reply = self._wire.send("GET", f"{parts.scheme}://{parts.netloc}/info", {}, clock=clock)
        body = reply.finish(clock)
        if reply.status >= _SERVER_ERROR:
            raise refused("GET", reply.status, reply.headers, body)
        return Facts.of(body) if reply.status < _REDIRECT else Facts()

    def name(self) -> str:
        """Tell the last part of the account's URL; authenticates where that is needed."""
        return unquote(urlsplit(self.url()).path.rpartition("/")[2])

    def url(self) -> str:
        """Tell the URL of the account; authenticates where that is needed.

        Raises:
            StoreError: We are not known, or there was no answer.
        """
        return self._policy.run(lambda clock: self._place(self._identity.grant(clock).url))

    def call(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        failed: list[Unavailable] | None = None,
    ) -> Answer:
        """Ask the server, and read the answer to its end.

        Args:
            method: The method.
            *path: Container and object, as far as it is about them.
            query: What is behind the question mark.
            headers: Headers besides the token.
            data: The body.
            failed: Gets what attempts fail with that may succeed later.

        Raises:
            StoreError: The server refuses, or there was no answer.
        """

        def attempt(clock: Clock) -> Answer:
            reply = self._ask(method, path, query, headers, data, clock)
            return Answer(reply.headers, reply.finish(clock))

        return self._policy.run(attempt, failed)

    def open(self, *path: str, headers: Mapping[str, str]) -> Reply:
        """Begin to read an object.

        Args:
            *path: Container and object.
            headers: Headers besides the token.

        Returns:
            The answer, whose body is not read yet.

        Raises:
            StoreError: The server refuses, or there was no answer.
        """
        return self._policy.run(lambda clock: self._ask("GET", path, None, headers, None, clock))

    def find(self, container: str, name: str) -> Head | None:
        """Tell what an object is, or that there is none.

        Args:
            container: Its container.
            name: Its name.
        """
        try:
            return Head(self.call("HEAD", container, name).headers)
        except NotFound:
            return None

    def find_manifest(self, container: str, name: str) -> Head | None:
        """Tell what an object is, whether its segments are there or not.

        radosgw says 404 of an image whose first segment is gone.

        Args:
            container: Its container.
            name: Its name.
        """
        query = {"multipart-manifest": "get"}
        try:
            return Head(self.call("HEAD", container, name, query=query).headers)
        except NotFound:
            return None

    def head(self, container: str, name: str) -> Head:
        """Tell what an object is.

        Args:
            container: Its container.
            name: Its name.

        Raises:
            NotFound: There is none.
            DataError: It is not whole.
            Unavailable: There is no container.
        """
        found = self.find(container, name)
        if found is not None:
            return found
        if self.find_manifest(container, name) is not None:
            raise not_whole()
        raise self.missing(container)

    def missing(self, container: str) -> StoreError:
        """Say what is missing where an object is: it, or its container.

        Args:
            container: Its container.
        """
        # Where the server knows the account and not the container, it is the container.
        if not self._shared or self.has_container(container) or not self._is_there():
            return NotFound("there is no such image")
        return Unavailable(
            f"there is no container {container}",
            hint="check container and project, or set create_container = true",
        )

    def has_container(self, container: str) -> bool:
        """Tell whether a container exists.

        Args:
            container: Its name.
        """
        return self._is_there(container)

    def drop_container(self, container: str) -> None:
        """Delete a container if it is there, and empty.

        Args:
            container: Its name.
        """
        try:
            self.call("DELETE", container)
        except NotFound:
            return
        except StoreError as error:
            if status_of(error) != _CONFLICT:
                raise

    def objects(
        self, container: str, prefix: str = "", *, must_exist: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], Answer]]:
        """Go through the objects of a container, in the order of their names.

        Args:
            container: Its name.
            prefix: How their names begin.
            must_exist: Whether a missing container is an error, and not an empty one.

        Returns:
            What the server says of each, and the answer that it stands in.

        Raises:
            Unavailable: There is no container.
        """
        try:
            yield from self._listed((container,), prefix)
        except NotFound as error:
            if must_exist:
                raise self.missing(container) from error

    def containers(self, prefix: str) -> Iterator[str]:
        """Go through the names of the account's containers.

        Args:
            prefix: How they begin.
        """
        yield from (str(item["name"]) for item, _ in self._listed((), prefix))

    def _is_there(self, *path: str) -> bool:
        try:
            self.call("HEAD", *path)
        except NotFound:
            return False
        return True

    def _listed(
        self, path: tuple[str, ...], prefix: str
    ) -> Iterator[tuple[Mapping[str, Any], Answer]]:
        # Pages as long as the server likes: one that is asked for more than it gives refuses.
        query = {"format": "json", "prefix": prefix}
        while True:
            answer = self.call("GET", *path, query=query)
            items = items_of(answer.body)
            if not items or items[-1]["name"] == query.get("marker"):
                return
            for item in items:
                yield item, answer
            query["marker"] = str(items[-1]["name"])

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        clock: Clock,
    ) -> Reply:
        """Send once; and once more with another token where the server refuses the first."""
        grant = self._identity.grant(clock)
        behind = f"?{urlencode(query, quote_via=quote)}" if query else ""
        place = "".join("/" + quote(part) for part in path) + behind

        def send() -> Reply:
            sent = {**(headers or {}), "X-Auth-Token": grant.token}
            return self._wire.send(method, self._place(grant.url) + place, sent, data, clock=clock)

        reply = send()
        if reply.status == _UNAUTHORIZED:
            reply.finish(clock)
            grant = self._identity.renew(grant, clock)
            reply = send()
        if reply.status >= _REDIRECT:
            raise refused(method, reply.status, reply.headers, reply.finish(clock))
        return reply

    def _place(self, url: str) -> str:
        if self._name is None:
            return url
        parts = urlsplit(url)
        path = f"{parts.path.rpartition('/')[0]}/{quote(self._name, safe='')}"
        return urlunsplit(parts._replace(path=path))
