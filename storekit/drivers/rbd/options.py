"""The options of the rbd driver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from storekit.driver import Count, DriverOptions

__all__ = ["FEATURES", "Options"]

# librbd refuses other orders: doc/man/8/rbd.rst of Ceph, --object-size.
_LEAST_OBJECT, _MOST_OBJECT = 4 << 10, 32 << 20

FEATURES = {
    "layering": 1,
    "exclusive-lock": 4,
    "object-map": 8,
    "fast-diff": 16,
    "deep-flatten": 32,
}
"""The features that a new image may have, by the names of the command ``rbd``, and their bits."""

_NEEDS = {
    "object-map": "exclusive-lock",
    "fast-diff": "object-map",
}


class Options(DriverOptions):
    """A pool, and who we are in its cluster."""

    conf_file: Path = Field(
        Path("/etc/ceph/ceph.conf"), description="Ceph's configuration: where the cluster is."
    )
    user: str | None = Field(
        None, min_length=1, description="Name of the user, without client. before it: admin else."
    )
    keyring: Path | None = Field(
        None, description="File with the user's key. Left out: what conf_file says."
    )
    pool: str = Field(min_length=1, description="Pool that holds the images.")
    namespace: str = Field("", description="Namespace of the pool. Empty: the default one.")
    data_pool: str | None = Field(
        None,
        min_length=1,
        description="Pool for the data of new images, such as an erasure coded one.",
    )
    object_size: Annotated[Count, Field(ge=_LEAST_OBJECT, le=_MOST_OBJECT)] = Field(
        8 << 20, description="Bytes of one object of new images: a power of two."
    )
    features: tuple[str, ...] | None = Field(
        None,
        description="Features of new images, layering among them. Left out: what the cluster's "
        "configuration says.",
    )
    trash: bool = Field(
        default=False, description="Move a deleted image that has clones to the trash."
    )
    copy_mode: Literal["deep", "clone"] = Field(
        "deep",
        description="Copies inside the cluster: deep have all data of their own; a clone shares "
        "what is unchanged with the original, which then cannot be deleted.",
    )

    @field_validator("object_size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        if size & (size - 1):
            raise ValueError("a power of two")
        return size

    @field_validator("features")
    @classmethod
    def _known_features(cls, features: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if features is None:
            return None
        if unknown := sorted(set(features) - set(FEATURES)):
            raise ValueError(
                f"no such feature: {', '.join(unknown)}; there are {', '.join(FEATURES)}"
            )
        if "layering" not in features:
            raise ValueError("layering must be among them: images are cloned")
        for feature, needed in _NEEDS.items():
            if feature in features and needed not in features:
                raise ValueError(f"{feature} needs {needed}")
        return features
