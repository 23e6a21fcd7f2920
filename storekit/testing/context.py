"""Context: what the kit hands to a case."""

from __future__ import annotations

import gc
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import cached_property

from pydantic import SecretStr

from storekit.capabilities import Capability, Limits
from storekit.errors import ConfigurationError, Duplicate, NotFound
from storekit.location import Location
from storekit.store import Store
from storekit.testing import detour
from storekit.testing.case import Case, NotRun, Violation
from storekit.testing.demands import Demands
from storekit.testing.harness import Harness
from storekit.testing.journal import Client, Journal, Reading, shown
from storekit.testing.looks import looks
from storekit.testing.wire import Wire
from storekit.values import Leftover

__all__ = ["Context"]

_PRIMES = (1, 2, 3, 7, 997, 10_007, 70_001, 131_071)
_LARGEST = 16 << 20  # bytes of one chunk or part that a case makes payloads of


class Context(Demands):
    """What a case has at hand. Made by the runner, one for each case.

    Args:
        case: The case.
        harness: The harness of the run.
        seed: The run's seed.
        token: Part of every image id of the run, so that runs do not meet.
        escapes: Of all cases of the run.
    """

    def __init__(
        self, case: Case, harness: Harness, *, seed: int, token: str, escapes: list[str]
    ) -> None:
        self.case = case
        self.harness = harness
        self.escapes_of_run = escapes
        """What came out of the stores of all cases so far, and should not have."""
        self.random = random.Random(f"{seed}:{case.id}")  # noqa: S311 - repeatable, no secret
        """The only source of choices: the same seed makes the same ones."""
        super().__init__(Journal())
        self.notes: dict[str, float | str] = {}
        """Put what you measure here; the report shows it."""
        self.exit = ExitStack()
        """Closed after the case, before its images are deleted."""
        self._token = token
        self._ids = 0
        self._lock = threading.Lock()

    # Stores

    @cached_property
    def store(self) -> Client:
        """The store under test, opened at first use."""
        return self.client()

    @cached_property
    def other(self) -> Client:
        """A second, fresh client of the same images."""
        return self.client()

    def client(self, harness: Harness | None = None, **overrides: object) -> Client:
        """Open one more client of the same images. Closed after the case.

        Args:
            harness: By what way, for example ``harness.behind(relay)``.
            **overrides: Options, as of ``Harness.make_store``.
        """
        return self.adopt((harness or self.harness).make_store(**overrides))

    def adopt(self, store: Store) -> Client:
        """Keep a journal of a store that a hook opened. Closed after the case.

        Args:
            store: The store.
        """
        self.exit.callback(store.close)
        return Client(store, self.journal)

    def wire(self) -> Wire:
        """Put a relay before the backend, until the case ends. Needs the hook ``endpoint``.

        Returns:
            The relay; ``client_behind`` gives a client that goes through it.

        Raises:
            ConfigurationError: The stores of the harness take no notice of it.
        """
        self.harness.require("endpoint")
        detour.taken(self)
        return self.exit.enter_context(Wire(str(self.harness.endpoint)))

    def client_behind(self, wire: Wire, **overrides: object) -> Client:
        """Open a client that reaches the backend through a relay. Closed after the case.

        Args:
            wire: The relay.
            **overrides: Options, as of ``Harness.make_store``.
        """
        client = self.client(self.harness.behind(wire.endpoint), **overrides)
        client.straight = wire.straight
        return client

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Break the backend for everybody. Only for cases that have it among their hooks.

        Args:
            kind: As of ``Harness.fault``.

        Raises:
            NotRun: The harness cannot make it.
        """
        self.harness.require(f"fault:{kind}")
        with ExitStack() as stack:
            try:
                stack.enter_context(self.harness.fault(kind))
            except NotImplementedError:
                raise NotRun(f"the harness cannot make the fault {kind!r}") from None
            yield

    @property
    def capabilities(self) -> Capability:
        """What the store under test claims."""
        return self.store.capabilities

    @property
    def limits(self) -> Limits:
        """The numbers of the store under test."""
        return self.store.limits

    def claims(self, capability: Capability) -> bool:
        """Tell whether the store claims all of these.

        Args:
            capability: One flag or several.
        """
        return capability in self.capabilities

    def budget(self, factor: float = 1.0) -> float:
        """Give a time in seconds, as a factor of what the store declared for one request.

        Args:
            factor: How many times ``limits.op_budget``.
        """
        return factor * self.limits.op_budget

    # Data

    def new_id(self, suffix: str = "") -> str:
        """Make an image id that nobody else has.

        Args:
            suffix: Its end.
        """
        with self._lock:
            self._ids += 1
            number = self._ids
        image_id = f"{self.case.id.lower()}-{self._token}-{number}{suffix}"
        longest = self.limits.max_id_length
        if len(image_id.encode()) > longest:
            digest = hashlib.sha256(image_id.encode()).hexdigest()
            image_id = digest[: max(1, longest - len(suffix.encode()))] + suffix
        return image_id

    def payload(self, size: int) -> bytes:
        """Make random bytes.

        Args:
            size: How many.
        """
        return self.random.randbytes(size)

    def primes(self, below: int = 1 << 20) -> tuple[int, ...]:
        """Give sizes that no chunk divides.

        Args:
            below: The bound.
        """
        return tuple(prime for prime in _PRIMES if prime < below)

    def around(self, *sizes: int) -> list[int]:
        """Give each size, one less and one more; without repeats, none below 1.

        Args:
            *sizes: Sizes in bytes.
        """
        found = {size + step for size in sizes for step in (-1, 0, 1)}
        return sorted(size for size in found if 0 < size <= self.limits.max_image_size)

    @property
    def read_chunk(self) -> int:
        """The declared read chunk, within what a case may afford."""
        return min(self.limits.read_chunk, _LARGEST)

    @property
    def write_chunk(self) -> int:
        """The declared write chunk, within what a case may afford."""
        return min(self.limits.write_chunk, _LARGEST)

    @property
    def part_size(self) -> int:
        """The declared part size, within what a case may afford."""
        return min(self.limits.part_size, _LARGEST)

    def small_parts(self) -> tuple[Client, int]:
        """Give a client whose parts a case may afford, and their size.

        Returns:
            The store under test; a client with shorter parts, where it takes that option and its
            own are very long.
        """
        if self.limits.part_size > _LARGEST:
            with suppress(ConfigurationError):
                client = self.client(part_size=_LARGEST)
                return client, client.limits.part_size
        return self.store, self.limits.part_size

    def image(self, data: bytes, image_id: str | None = None) -> Location:
        """Have an image in the store: added, or planted where the store takes none.

        Args:
            data: Its bytes.
            image_id: Its id; a new one by default.

        Raises:
            NotRun: The store takes none, and the harness cannot plant one.
        """
        chosen = image_id or self.new_id()
        if self.claims(Capability.ADD):
            return self.store.add(chosen, data).location
        self.harness.require("plant")
        return Location(self.harness.plant(chosen, data))

    def missing(self) -> Location:
        """Give a location of this store at which no image is.

        Raises:
            NotRun: It cannot be had: the store deletes nothing, and shows no example.
        """
        if self.claims(Capability.ADD | Capability.DELETE):
            location = self.store.add(self.new_id(), b"gone").location
            self.store.delete(location)
            return location
        present = self.image(b"here")
        text = str(present)
        image_id = text.rpartition("/")[2]
        if not image_id or not text.endswith(image_id):
            raise NotRun("no location is known at which nothing is")
        return Location(text + "-missing")

    def elsewhere(self) -> Client:
        """Open a store on another backend: the kit's own, of whichever kind is under test."""
        from storekit.testing.reference import MemoryHarness  # noqa: PLC0415 - it needs us

        harness = MemoryHarness()
        harness.setup()
        self.exit.callback(harness.teardown)
        return self.adopt(harness.make_store())

    def secrets(self, client: Client | None = None) -> list[str]:
        """Give the values of the store's secret options.

        Args:
            client: Of which client.
        """
        values = dict((client or self.store).driver.config).values()
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

    # Reading back

    def read(self, location: str | Location, client: Client | None = None) -> bytes:
        """Read a whole image.

        Args:
            location: Where it is.
            client: By which client; the store under test by default.
        """
        with (client or self.store).get(location) as reader:
            return self.drain(reader)

    def drain(self, reader: Reading) -> bytes:
        """Read a reader to its end.

        Args:
            reader: The reader.
        """
        pieces = []
        for chunk in reader:
            if not isinstance(chunk, bytes) or not chunk:
                raise Violation("chunks of bytes, none empty", shown(chunk), "iterating a reader")
            pieces.append(chunk)
        return b"".join(pieces)

    def holds(self, location: str | Location, data: bytes, client: Client | None = None) -> None:
        """Demand that an image is what it should be.

        Args:
            location: Where it is.
            data: What it should be.
            client: By which client.
        """
        self.same(self.read(location, client), data, f"the bytes at {location}")

    def listed(self, client: Client | None = None) -> set[str]:
        """Give the ids that this case has in the store's listing.

        Args:
            client: By which client.
        """
        return {listing.image_id for listing in (client or self.store).list()}

    def nothing_stored(self, image_id: str, did: str = "") -> None:
        """Demand that nothing is under an id, and that it can be used.

        Args:
            image_id: The id.
            did: What was done, for the report.

        Raises:
            Violation: Something is there, or the id is taken.
        """
        fresh = self.client()
        if self.claims(Capability.LIST):
            self.check(image_id not in self.listed(fresh), "no image", "it is listed", did)
        data = self.payload(997)
        try:
            location = fresh.add(image_id, data).location
        except Duplicate as error:
            raise Violation("the id can be added", f"Duplicate: {error}", did) from error
        self.holds(location, data, fresh)
        if self.claims(Capability.DELETE):
            fresh.delete(location)
            with self.expect_error(NotFound, did=f"get_size after {did} and a delete"):
                fresh.get_size(location)

    def eventually(
        self, holds: Callable[[], bool], expected: object, did: str = "", factor: float = 1.0
    ) -> float:
        """Demand that something holds: at once with STRONG_CONSISTENCY, else within the budget.

        Args:
            holds: Looks; called again until it says so.
            expected: What the contract says.
            did: What was done.
            factor: How long at most, in units of ``limits.op_budget``.

        Returns:
            How long it took in seconds; the report shows the longest as ``settled``.

        Raises:
            Violation: It does not.
        """
        begin = time.perf_counter()
        strong = self.claims(Capability.STRONG_CONSISTENCY)
        seen = any(holds() for _ in looks(0.0 if strong else self.budget(factor)))
        settled = time.perf_counter() - begin
        if not seen:
            raise Violation(expected, f"not so after {settled:.3f} s", did)
        self.notes["settled"] = max(float(self.notes.get("settled", 0.0)), settled)
        return settled

    def orphans(self) -> set[str]:
        """Name what belongs to no image. Only for cases that run alone."""
        if not self.case.alone:
            raise RuntimeError(f"{self.case.id} asks for orphans, and does not run alone")
        gc.collect()
        return self.harness.left_behind(self.other.store)

    def leftovers(self, client: Client | None = None) -> list[Leftover]:
        """List the leftovers of any age.

        Args:
            client: By which client.
        """
        return list((client or self.store).leftovers(timedelta(0)))
