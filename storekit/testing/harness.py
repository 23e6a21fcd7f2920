"""Harness: what the author of a driver writes, so that the kit can get at a store."""

from __future__ import annotations

import copy
import secrets
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Self

from storekit.errors import ConfigurationError
from storekit.loader import drivers_installed
from storekit.store import Store
from storekit.stores import Stores
from storekit.testing.case import HOOKS, NotApplicable, NotRun, Registry
from storekit.values import InstalledDriver

__all__ = ["Harness"]

_ABSENT = frozenset({*HOOKS, "fault", "tls"})
"""What may stand in ``absent``: ``tls`` is for stores that take no ``https`` endpoint."""


class Harness:
    """How the kit gets at one backend. Subclass it, and write ``make_store``.

    One instance serves one run. Every other method is a hook: each one that you override turns
    cases from NOT-RUN into running ones. A hook that the backend cannot have is named in
    ``absent`` with the reason; its cases are then N/A, and lower no level.
    """

    endpoint: str | None = None
    """Hook: where the backend listens, ``http://host:port`` or ``host:port``. ``make_store`` must
    use ``self.endpoint``: the kit puts a relay between, and its address here. A location may begin
    with it: the kit puts the relay's address there too."""
    absent: Mapping[str, str] = {}
    """Hooks that this backend cannot have, and why: ``{"endpoint": "files have no wire"}``."""
    cases: Registry | None = None
    """Cases of the driver's own, beside those of the kit."""
    patience: float = 300.0
    """Seconds that ``setup`` may take, and ``teardown``; then it counts as hung."""
    page_size: int = 20
    """How many images one page of the backend's listing holds."""
    projects: Sequence[str] = (
        "0a4b8c2d6e1f4a3b9c7d5e8f0a1b2c3d",
        "7f3e9d1c5b8a4f6e2d0c9b7a5f3e1d8c",
    )
    """The ids of two projects that an access list may name."""
    stores: type[Stores] = Stores
    """The class under test where a case needs several stores. Only the kit's own tests set it."""

    takes_detours: bool | None = None
    """Whether its stores go where ``endpoint`` says. The kit finds it out."""
    namespace: str
    """Unique for each instance, letters and digits: a bucket, pool or directory of our own."""
    directory: Path
    """An empty directory, removed at the end."""

    def __init__(self) -> None:
        self.namespace = f"skc{secrets.token_hex(5)}"

    def make_store(self, **overrides: object) -> Store:
        """Open a store on the backend. Called often: the same images, a fresh client each time.

        Args:
            **overrides: Options that a case sets, by the names all drivers share: timeouts,
                ``max_attempts``, part sizes.

        Returns:
            An open store that holds nothing but what this harness put into its namespace.
        """
        raise NotImplementedError

    def setup(self) -> None:
        """Prepare the backend: make the bucket, start the server. Call ``super().setup()``."""
        self.directory = Path(tempfile.mkdtemp(prefix="storekit-conform-"))

    def teardown(self) -> None:
        """Undo ``setup``, and remove the namespace. Call ``super().teardown()``."""
        shutil.rmtree(self.directory, ignore_errors=True)

    # Hooks

    def peek(self, location: str) -> bytes | None:
        """Hook: read an image at rest, past the driver.

        Args:
            location: The URI that ``add`` returned.

        Returns:
            The bytes, or None where nothing is.
        """
        raise NotImplementedError

    def plant(self, image_id: str, data: bytes) -> str:
        """Hook: put an image into the backend, past the driver.

        Args:
            image_id: Its id. An image that has it is replaced, as by a new one of the backend's:
                with another version, ETag or time, by whichever the backend tells them apart.
            data: Its bytes.

        Returns:
            The URI under which the driver reads it.
        """
        raise NotImplementedError

    def acls(self, location: str) -> tuple[bool, Collection[str], Collection[str]]:
        """Hook: read the access lists of an image, past the driver.

        Args:
            location: The URI of the image.

        Returns:
            Whether everybody may read it; the projects that may read it; those that may write it.
            Whoever may do so anyway, such as the owner, is left out.
        """
        raise NotImplementedError

    def orphans(self) -> Collection[str]:
        """Hook: name everything in the namespace that belongs to no image.

        Without it the kit asks the store's ``leftovers(timedelta(0))``.
        """
        raise NotImplementedError

    def reclaim(self) -> None:
        """Hook: remove what crashes left. Without it the store's own ``reclaim`` is called."""
        raise NotImplementedError

    def fault(self, kind: str) -> AbstractContextManager[object]:
        """Hook: break the backend, for every client, as long as the context lasts.

        Args:
            kind: ``full``: no space. ``eio``: reads fail. ``hung``: nothing answers. ``gone``: it
                vanished. ``readonly``: nothing can be written. ``power``: it fails, and what was
                not synced is lost; back at the end (``storekit.testing.power`` does it for files;
                no store is open on it then). Raise NotImplementedError for what cannot be done
                here; it may also stand in ``absent`` as ``fault:eio``.
        """
        raise NotImplementedError(kind)

    def breakable(self, kind: str) -> AbstractContextManager[Harness]:
        """Give a harness whose backend can have a fault: by default this one itself.

        Override it where a fault takes another place than the usual one, such as a FUSE mount. The
        case opens its stores on what it is given, and calls its ``fault``.

        Args:
            kind: As of ``fault``.
        """
        return nullcontext(self)

    def denied_backend(self) -> Store:
        """Hook: open a store on the same images, as a user who may read and nothing else."""
        raise NotImplementedError

    def in_use(self, location: str) -> AbstractContextManager[object]:
        """Hook: make somebody use the image (a clone, an attachment) as long as it lasts.

        Args:
            location: The URI of the image.
        """
        raise NotImplementedError

    def plant_leftover(self) -> str:
        """Hook: leave behind what a killed add would have left.

        Returns:
            The name by which ``leftovers`` should list it.
        """
        raise NotImplementedError

    def restart(self) -> None:
        """Hook: stop the backend hard, and start it again with the same images."""
        raise NotImplementedError

    def installed(self) -> Sequence[InstalledDriver]:
        """List the drivers that are installed. Only the kit's own tests override it."""
        return drivers_installed()

    # What the kit asks

    @classmethod
    def check(cls) -> None:
        """Check what the class says: a slip of the pen in ``absent`` makes cases N/A in silence.

        Raises:
            ConfigurationError: ``absent`` is no mapping, names no hook, gives no reason, or names
                one that the class offers. A class may take away what its base offers.
        """
        _check_absent(cls.__name__, cls.absent)
        order = cls.__mro__
        says = next(place for place, kind in enumerate(order) if "absent" in vars(kind))
        for hook in cls.absent:
            if any(hook in vars(kind) for kind in order[: says + 1] if kind is not Harness):
                raise ConfigurationError(
                    f"harness {cls.__name__}: it offers {hook}, which absent says it cannot have",
                    hint="remove one of the two",
                )

    def check_absent(self) -> None:
        """Check what ``absent`` says now: ``setup`` may have added what this machine lacks.

        Raises:
            ConfigurationError: As ``check``.
        """
        _check_absent(type(self).__name__, self.absent)

    def _has(self, hook: str) -> bool:
        if hook == "endpoint":
            return self.endpoint is not None
        return getattr(type(self), hook) is not getattr(Harness, hook)

    def require(self, hook: str) -> None:
        """Check that a hook is offered.

        Args:
            hook: A name out of ``HOOKS``, or several with ``|`` of which one is enough.

        Raises:
            NotApplicable: The backend cannot have it.
            NotRun: It is not offered.
        """
        missing: list[NotApplicable | NotRun] = []
        for name in hook.split("|"):
            try:
                return self._require(name)
            except (NotApplicable, NotRun) as verdict:
                missing.append(verdict)
        # Only if none of them can be, nothing is missing.
        raise next((verdict for verdict in missing if isinstance(verdict, NotRun)), missing[0])

    def _require(self, hook: str) -> None:
        base = "endpoint" if hook == "http" else hook.partition(":")[0]
        for name in (hook, base):
            if name in self.absent:
                raise NotApplicable(f"no {name}: {self.absent[name]}")
        if not self._has(base):
            raise NotRun(f"the harness offers no {base}")
        if hook == "http" and not str(self.endpoint).startswith("http://"):
            raise NotApplicable("the backend does not speak plain HTTP")

    def offers(self, hook: str) -> bool:
        """Tell whether a hook is offered.

        Args:
            hook: A name out of ``HOOKS``.
        """
        try:
            self.require(hook)
        except (NotApplicable, NotRun):
            return False
        return True

    def behind(self, endpoint: str) -> Self:
        """Give a copy that reaches the same backend by another address.

        Args:
            endpoint: The address of a relay.
        """
        other = copy.copy(self)
        other.endpoint = endpoint
        return other

    def left_behind(self, store: Store) -> set[str]:
        """Name what belongs to no image, by the hook or by the store's own word.

        Args:
            store: A store of this harness.
        """
        if self.offers("orphans"):
            return set(self.orphans())
        return {leftover.name for leftover in store.leftovers(older_than=timedelta(0))}

    def clean(self, store: Store) -> None:
        """Remove what crashes left.

        Args:
            store: A store of this harness.
        """
        if self.offers("reclaim"):
            self.reclaim()
        else:
            store.reclaim(older_than=timedelta(0))


def _check_absent(kind: str, absent: object) -> None:
    if not isinstance(absent, Mapping):
        raise ConfigurationError(
            f"harness {kind}: absent is {absent!r}", hint="a mapping of hooks to reasons"
        )
    for hook, reason in absent.items():
        if hook not in _ABSENT:
            raise ConfigurationError(
                f"harness {kind}: absent names {hook!r}, and there is no such hook",
                hint=f"there are {', '.join(sorted(_ABSENT))}",
            )
        if not (isinstance(reason, str) and reason.strip()):
            raise ConfigurationError(
                f"harness {kind}: absent gives no reason for {hook!r}", hint="write a sentence"
            )
