"""The journal of one case, and the clients that write it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from storekit.capabilities import Capability, Limits
from storekit.errors import BackendError, StoreError
from storekit.location import Location, redact
from storekit.reader import ChunkReader
from storekit.store import DAY, Store
from storekit.testing.case import NotApplicable, NotRun, Over, Violation
from storekit.values import Capacity, Leftover, Listing, StoredImage

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["Client", "Journal", "Reading", "shown"]

T = TypeVar("T")

_KEPT = 60  # calls of one case; the last ones are those that led to the failure
_SHOWN = 100  # characters of an argument
_VERBS = ("add", "get", "get_size", "delete", "list", "set_acls", "capacity", "copy_from")


class Journal:
    """What one case asked of its stores, and what came out of them. Thread-safe."""

    def __init__(self) -> None:
        self.calls: deque[str] = deque(maxlen=_KEPT)
        self.escapes: list[str] = []
        """What no public method may raise: no StoreError, or one that nobody translated."""
        self.live: dict[str, Client] = {}
        """Images that the case has stored and not deleted, with the client that did."""
        self.named: set[type[BaseException]] = set()
        """Kinds of errors that the case expects."""
        self.own: list[BaseException] = []
        """Exceptions that the case itself raises inside a verb."""
        self.asked: list[list[str]] = []
        """Of each client, the verbs that the frame has called on its driver."""
        self._raised: deque[BaseException] = deque(maxlen=_KEPT)
        self._begun: dict[object, tuple[str, float]] = {}
        self._forsaken: set[object] = set()

    @contextmanager
    def begun(self, text: str) -> Iterator[None]:
        """Keep a call in mind until it ends: one that hangs has to be seen too.

        Args:
            text: How the call looks.
        """
        call = object()
        self._begun[call] = text, time.perf_counter()
        try:
            yield
        except BaseException as error:
            if call in self._forsaken:
                self.own.append(error)  # it comes of what the kit did
            raise
        finally:
            del self._begun[call]

    def forsake(self) -> None:
        """Let the calls that hang hang: what they raise once the kit closes all is no verdict."""
        self._forsaken.update(self._begun.copy())

    def shown(self) -> tuple[str, ...]:
        """Give the calls, oldest first, and at the end those that have not ended."""
        now = time.perf_counter()
        begun = tuple(self._begun.copy().values())
        hanging = [f"{text} .. has not ended [{now - begin:.3f} s]" for text, begin in begun]
        return (*self.calls.copy(), *hanging)

    def run(self, text: str, function: Callable[..., T], *args: object, **options: object) -> T:
        """Call something of the store, and write it down.

        Args:
            text: How the call looks.
            function: What to call.
            *args: Its arguments.
            **options: Its named arguments.
        """
        begin = time.perf_counter()
        try:
            with self.begun(text):
                value = function(*args, **options)
        except StopIteration:
            raise
        except BaseException as error:
            self.failed(text, error, time.perf_counter() - begin)
            raise
        self.calls.append(f"{text} -> {shown(value)} [{time.perf_counter() - begin:.3f} s]")
        return value

    def failed(self, text: str, error: BaseException, seconds: float) -> None:
        """Write down a call that raised.

        Args:
            text: How the call looks.
            error: What it raised.
            seconds: How long it took.
        """
        entry = f"{text} !! {type(error).__name__}: {_short(str(error), 300)} [{seconds:.3f} s]"
        self.calls.append(entry)
        self._raised.append(error)
        if any(error is ours for ours in self.own):
            return
        if isinstance(error, Violation | NotRun | NotApplicable | Over):
            return  # raised by the case's own source, in the middle of an add
        if not isinstance(error, StoreError) or (
            isinstance(error, BackendError) and BackendError not in self.named
        ):
            self.escapes.append(entry)

    def stored(self) -> bool:
        """Tell whether a driver was asked to store anything in this process."""
        return any(verb in asked for asked in self.asked for verb in ("add", "copy_from"))

    def came_from_a_store(self, error: BaseException) -> bool:
        """Tell whether a verb raised this very object.

        Args:
            error: The exception.
        """
        return any(error is raised for raised in self._raised)


class Client:
    """A store that keeps a journal. It has the verbs of ``Store``, with the same arguments.

    Args:
        store: The store.
        journal: Where to write.
    """

    def __init__(self, store: Store, journal: Journal) -> None:
        self.store = store
        self.asked: list[str] = []
        """The verbs that the frame has called on the driver."""
        self._journal = journal
        journal.asked.append(self.asked)
        self.capabilities: Capability = store.capabilities
        self.limits: Limits = store.limits
        self.name: str = store.name
        self.straight: Callable[[object], str] = str
        """Gives a location as a client knows it that goes by no relay."""
        self.driver: Driver = store.opening.instance()
        """The driver instance, for what a case wants to know of its class and options."""
        for verb in _VERBS:
            setattr(self.driver, verb, _spied(getattr(self.driver, verb), verb, self.asked))

    def add(self, *args: Any, **options: Any) -> StoredImage:  # noqa: ANN401 - those of Store.add
        """As ``Store.add``. The case deletes the image at its end."""
        stored = self._call(self.store.add, args, options)
        if isinstance(stored, StoredImage):
            self._journal.live[self.straight(stored.location)] = self
        return stored

    def get(self, *args: Any, **options: Any) -> Reading:  # noqa: ANN401 - those of Store.get
        """As ``Store.get``; the reader keeps the journal too."""
        reader = self._call(self.store.get, args, options)
        return Reading(reader, self._journal, _call_text("get", args, options))

    def get_size(self, *args: Any, **options: Any) -> int:  # noqa: ANN401
        """As ``Store.get_size``."""
        return self._call(self.store.get_size, args, options)

    def delete(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """As ``Store.delete``."""
        self._call(self.store.delete, args, options)
        if args:
            self._journal.live.pop(self.straight(args[0]), None)

    def list(self, **options: Any) -> Iterator[Listing]:  # noqa: ANN401
        """As ``Store.list``."""
        return self._walk("list", self._call(self.store.list, (), options))

    def leftovers(self, older_than: timedelta = DAY) -> Iterator[Leftover]:
        """As ``Store.leftovers``."""
        return self._walk("leftovers", self._call(self.store.leftovers, (older_than,), {}))

    def reclaim(self, older_than: timedelta = DAY) -> tuple[Leftover, ...]:
        """As ``Store.reclaim``."""
        return tuple(self._call(self.store.reclaim, (older_than,), {}))

    def verify(self, *args: Any, **options: Any) -> dict[str, str]:  # noqa: ANN401
        """As ``Store.verify``."""
        return self._call(self.store.verify, args, options)

    def copy(
        self,
        location: str | Location,
        to: Client | None = None,
        image_id: str | None = None,
        **options: Any,  # noqa: ANN401
    ) -> StoredImage:
        """As ``Store.copy``, to another client."""
        target = None if to is None else to.store
        stored = self._call(self.store.copy, (location, target, image_id), options)
        if isinstance(stored, StoredImage):
            receiver = to or self
            self._journal.live[receiver.straight(stored.location)] = receiver
        return stored

    def set_acls(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """As ``Store.set_acls``."""
        self._call(self.store.set_acls, args, options)

    def capacity(self) -> Capacity:
        """As ``Store.capacity``."""
        return self._call(self.store.capacity, (), {})

    def close(self) -> None:
        """As ``Store.close``."""
        self._call(self.store.close, (), {})

    def _call(
        self, verb: Callable[..., T], args: tuple[object, ...], options: dict[str, object]
    ) -> T:
        name = getattr(verb, "__name__", "?")
        return self._journal.run(_call_text(name, args, options), verb, *args, **options)

    def _walk(self, name: str, items: Iterator[T]) -> Iterator[T]:
        begin = time.perf_counter()
        count = 0
        try:
            walk = iter(items)
            while True:
                with self._journal.begun(f"{name}: item {count}"):
                    try:
                        item = next(walk)
                    except StopIteration:
                        break
                count += 1
                yield item
        except GeneratorExit:
            raise
        except BaseException as error:
            self._journal.failed(f"{name}: item {count}", error, time.perf_counter() - begin)
            raise
        self._journal.calls.append(f"{name}() gave {count} items")


class Reading:
    """A reader that keeps the journal: what raises in it is written down.

    Args:
        reader: What ``get`` returned.
        journal: Where to write.
        text: How the ``get`` looked.
    """

    def __init__(self, reader: ChunkReader, journal: Journal, text: str) -> None:
        self.inner = reader
        self.size = reader.size
        self._journal = journal
        self._text = text

    def __iter__(self) -> Self:
        self._run("iter", iter, self.inner)
        return self

    def __next__(self) -> bytes:
        chunk: bytes = self._run("next", next, self.inner)
        return chunk

    def read(self, n: int = -1) -> bytes:
        """As ``ChunkReader.read``."""
        data: bytes = self._run(f"read({n})", self.inner.read, n)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """As ``ChunkReader.readinto``."""
        return self._run("readinto", self.inner.readinto, buffer)

    def close(self) -> None:
        """As ``ChunkReader.close``."""
        self._run("close", self.inner.close)

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, what: str, function: Callable[..., T], *args: object) -> T:
        begin = time.perf_counter()
        text = f"{self._text}: {what}"
        try:
            with self._journal.begun(text):
                return function(*args)
        except StopIteration:
            raise
        except BaseException as error:
            self._journal.failed(text, error, time.perf_counter() - begin)
            raise


def shown(value: object) -> str:
    """Show a value on part of a line: bytes by their length, long texts by their beginning.

    Args:
        value: Anything.
    """
    if isinstance(value, bytes | bytearray | memoryview) and len(value) > 16:  # noqa: PLR2004
        return f"<{len(value)} {type(value).__name__}>"
    if isinstance(value, Location):
        return _short(str(value), 2 * _SHOWN)
    if isinstance(value, StoredImage):
        return f"stored {value.location} ({value.size} bytes)"
    if isinstance(value, ChunkReader):
        return f"a reader of {value.size} bytes"
    if isinstance(value, str) and "://" in value:
        return redact(value)  # it may hold a credential
    return _short(repr(value), _SHOWN)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def _call_text(name: str, args: tuple[object, ...], options: dict[str, object]) -> str:
    parts = [shown(arg) for arg in args]
    parts += [f"{key}={shown(value)}" for key, value in options.items()]
    return f"{name}({', '.join(parts)})"


def _spied(function: Callable[..., T], verb: str, asked: list[str]) -> Callable[..., T]:
    def call(*args: object, **options: object) -> T:
        asked.append(verb)
        return function(*args, **options)

    return call
