"""The contenders that every suite has: storekit and glance_store, driven in the same words."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Contender", "GlanceStore", "Memory", "Readable", "Storekit"]

_BACKENDS: dict[str, str] = {}


class Readable(Protocol):
    """The data of an image: all that glance_store asks of it."""

    def read(self, n: int, /) -> bytes:
        """Give up to n bytes, none at the end."""
        ...


class Memory:
    """An image in memory that is longer than the block that it is made of.

    ``read`` copies, as that of an ``io.BytesIO`` does.

    Args:
        block: Random bytes, repeated as often as it takes.
        size: Length of the image in bytes.
    """

    def __init__(self, block: bytes, size: int) -> None:
        self._block = block
        self._left = size
        self._position = 0

    def read(self, n: int, /) -> bytes:
        """Give up to n bytes, none at the end."""
        end = min(self._position + min(n, self._left), len(self._block))
        piece = self._block[self._position : end]
        self._left -= len(piece)
        self._position = end % len(self._block)
        return piece


class Contender(Protocol):
    """Who stores and reads images."""

    name: str
    """The name in tables."""

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Store an image.

        Args:
            image_id: Its id.
            data: Its bytes.
            size: Their number, None if that is not to be known.
            hashes: Digests to compute.

        Returns:
            The digests, more of them if the contender cannot help it.
        """
        ...

    def get(self, location: str) -> int:
        """Read a whole image, chunk by chunk, and let go of each chunk.

        Args:
            location: Its URI.

        Returns:
            How many bytes came.
        """
        ...

    def get_size(self, location: str) -> int:
        """Ask for the size of an image.

        Args:
            location: Its URI.

        Returns:
            The size in bytes, -1 if there is no such image.
        """
        ...

    def get_missing(self, location: str) -> None:
        """Begin to read an image that does not exist.

        Args:
            location: A URI under which there is none.
        """
        ...

    def delete(self, location: str) -> None:
        """Delete an image.

        Args:
            location: Its URI.
        """
        ...


class Storekit:
    """storekit, through one store.

    Args:
        driver: Name of the driver.
        options: Its options.
        name: The name in tables.
    """

    def __init__(self, driver: str, options: Mapping[str, Any], name: str = "storekit") -> None:
        self.name = name
        self._storekit = importlib.import_module("storekit")
        self._store = self._storekit.open_store(driver, **options)

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Store an image."""
        digests: Mapping[str, str] = self._store.add(image_id, data, size, hashes=hashes).digests
        return digests

    def get(self, location: str) -> int:
        """Read a whole image."""
        with self._store.get(location) as reader:
            return sum(map(len, reader))

    def get_size(self, location: str) -> int:
        """Ask for the size of an image."""
        try:
            size: int = self._store.get_size(location)
        except self._storekit.NotFound:
            return -1
        return size

    def get_missing(self, location: str) -> None:
        """Begin to read an image that does not exist."""
        try:
            self._store.get(location)
        except self._storekit.NotFound:
            return
        raise AssertionError(f"{location} exists")

    def delete(self, location: str) -> None:
        """Delete an image."""
        self._store.delete(location)


class GlanceStore:
    """glance_store, through one store of its multi-backend interface, as Glance drives it.

    Args:
        driver: The type of the store: ``file``, ``s3``, ...
        options: The options of its group.
    """

    def __init__(self, driver: str, options: Mapping[str, Any]) -> None:
        self.name = "glance_store"
        self._glance = importlib.import_module("glance_store")
        cfg: Any = importlib.import_module("oslo_config.cfg")
        # glance_store reads the configuration of the process, whatever it was given.
        self._conf = cfg.CONF
        self._conf([], project="benchmark", default_config_files=[])
        self._conf.register_opts([cfg.DictOpt("enabled_backends", default={})])
        self._backend = f"bench{len(_BACKENDS)}"
        _BACKENDS[self._backend] = driver
        self._conf.set_override("enabled_backends", dict(_BACKENDS))
        self._glance.register_store_opts(self._conf)
        self._conf.set_override("default_backend", self._backend, group="glance_store")
        for option, value in options.items():
            self._conf.set_override(option, value, group=self._backend)
        self._glance.create_multi_stores(self._conf)
        # A store that cannot be set up is only logged there.
        self._glance.get_store_from_store_identifier(self._backend)

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Store an image. It always has an md5 and one more digest: sha512 unless asked."""
        second = next((name for name in hashes if name != "md5"), "sha512")
        _, _, md5, digest, _ = self._glance.add_with_multihash(
            self._conf, image_id, data, size or 0, self._backend, second
        )
        return {"md5": md5, second: digest}

    def get(self, location: str) -> int:
        """Read a whole image."""
        chunks, _ = self._glance.get(location, self._backend)
        return sum(map(len, chunks))

    def get_size(self, location: str) -> int:
        """Ask for the size of an image."""
        try:
            size: int = self._glance.get_size_from_uri_and_backend(location, self._backend)
        except self._glance.NotFound:
            return -1
        return size

    def get_missing(self, location: str) -> None:
        """Begin to read an image that does not exist."""
        try:
            self._glance.get(location, self._backend)
        except self._glance.NotFound:
            return
        raise AssertionError(f"{location} exists")

    def delete(self, location: str) -> None:
        """Delete an image."""
        self._glance.delete(location, self._backend)
