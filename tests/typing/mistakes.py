"""What a type checker must refuse. An ignore that is not needed is an error of its own."""

from __future__ import annotations

import storekit
from storekit import Content, Driver, Limits, Location, RequestContext, Stores
from storekit import Glance as Nothing  # type: ignore[attr-defined]

__all__ = ["Nothing"]


def embedder(stores: Stores, location: Location) -> None:
    print(storekit.Glance)  # type: ignore[attr-defined]
    storekit.open_stores("shelf")  # type: ignore[attr-defined]
    stores.add("a")  # type: ignore[call-arg]
    stores.add(5, b"bytes")  # type: ignore[arg-type]
    stores.add("a", "text")  # type: ignore[arg-type]
    stores.add("a", b"bytes", "5")  # type: ignore[arg-type]
    stores.add("a", b"bytes", 5, "fast")  # type: ignore[call-arg]
    stores.add("a", b"bytes", md5="ab")  # type: ignore[call-arg]
    stores.add("a", b"bytes", verifier=object())  # type: ignore[arg-type]
    stores.get(5)  # type: ignore[arg-type]
    stores.get(location, "5")  # type: ignore[arg-type]
    stores.get(location, 0, 5, "fast")  # type: ignore[call-arg]
    stores.get(location).write(b"bytes")  # type: ignore[attr-defined]
    stores.copy(location)  # type: ignore[call-arg]
    stores.get_size(location) + "5"  # type: ignore[operator]
    stores.default = 5  # type: ignore[assignment]
    location.scheme.decode()  # type: ignore[attr-defined]
    Limits(1)  # type: ignore[call-arg]
    Limits().window = 5  # type: ignore[misc]
    RequestContext("token")  # type: ignore[call-arg]
    Stores({"a": 5})  # type: ignore[dict-item]


class Wrong(Driver):
    schemes = "wrong"  # type: ignore[assignment]

    def get(self, location: Location, offset: int = 0) -> Content:  # type: ignore[override]
        return Content("5", ())  # type: ignore[arg-type]

    def get_size(self, location: str) -> int:  # type: ignore[override]
        return 5

    def delete(self, location: Location, context: object = None) -> int:  # type: ignore[override]
        return 5
