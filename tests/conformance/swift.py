"""How the kit gets at a swift store: Swift, on its own or with Keystone, and radosgw."""

import json
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any, ClassVar, Self

import swiftclient
from keystoneauth1 import session
from keystoneauth1.identity import v3
from servers import ceph, keystone, swift
from servers.daemons import frozen
from swiftclient.exceptions import ClientException

import storekit
from storekit.arguments import RESERVED_PREFIX
from storekit.location import Location
from storekit.testing import Harness

__all__ = [
    "KeystoneHarness",
    "MultiTenantHarness",
    "RadosgwSwiftHarness",
    "SwiftHarness",
    "TempauthHarness",
]

_NO_DISK = "the server's disk is its own affair: what it cannot do it answers as an error"
_TELLS = "the server says where objects are, and knows nothing of TLS before it: see Keystone's"
_IDLE = 6.0  # seconds: longer than any case pauses in an upload, and not too long to wait for
_NOT_FOUND = 404
_OWNER = ("owner", "secret-of-the-owner-0123")
_READER = ("reader", "secret-of-a-reader-0123")


class SwiftHarness(Harness):
    """A swift store on a server that a subclass starts."""

    absent: ClassVar = {
        "in_use": "an object is nobody's: reading it does not keep it",
        "fault:eio": _NO_DISK,
        "fault:readonly": _NO_DISK,
        "fault:full": _NO_DISK,
        "fault:gone": _NO_DISK,
        "fault:power": _NO_DISK,
    }
    # Swift is told so. Of itself it lists 10,000 at once, which it would take minutes to add.
    page_size = 20

    def setup(self) -> None:
        super().setup()
        self._running = ExitStack()
        self.start()
        with self.client() as user:
            for container in self._containers():
                user.put_container(container, self.readers())

    def teardown(self) -> None:
        self._running.close()
        super().teardown()

    def start(self) -> None:
        """Start the server, and set ``endpoint``."""
        raise NotImplementedError

    def signal(self, number: int) -> None:
        """Send the server a signal."""
        raise NotImplementedError

    def readers(self) -> Mapping[str, str]:
        """Give the headers of a container that let the reader read."""
        return {}

    def who(self) -> Mapping[str, object]:
        """Give the options that say who owns the images."""
        raise NotImplementedError

    def client(self) -> Any:
        """Give a connection past the driver, which its context closes: the kit counts sockets."""
        who = self.who()
        user = swiftclient.Connection(who["auth_url"], who["username"], who["password"], retries=0)
        return closing(user)

    def make_store(self, **overrides: object) -> storekit.Store:
        return self.open_as(self.who(), **overrides)

    def open_as(self, who: Mapping[str, object], **overrides: object) -> storekit.Store:
        """Open a store as some user.

        Args:
            who: The options that say who.
            **overrides: Options.
        """
        options = {
            "container": self.namespace,
            "part_size": 1 << 20,
            "window": 2,
            "connect_timeout": 2,
            "io_timeout": 5,
            "upload_idle": _IDLE,
        }
        return storekit.open_store("swift", name="objects", **{**options, **who, **overrides})

    def peek(self, location: str) -> bytes | None:
        with self.client() as user:
            try:
                return bytes(user.get_object(*_place(location))[1])
            except ClientException as error:
                if error.http_status != _NOT_FOUND:
                    raise
        return None

    def plant(self, image_id: str, data: bytes) -> str:
        with self.client() as user:
            user.put_object(self.namespace, image_id, data)
        return str(Location.build("swift+config", "objects", self.namespace, image_id))

    def orphans(self) -> set[str]:
        images, segments = self._containers()
        with self.client() as user:
            there = {found["name"] for found in user.get_container(segments, full_listing=True)[1]}
            for found in user.get_container(images, full_listing=True)[1] if there else ():
                there -= self.segments_of(user, found["name"])
        return {f"{segments}/{name.rpartition('/')[0]}/" for name in there}

    def segments_of(self, user: Any, image_id: str) -> set[str]:
        """Give the names of the segments that an image's manifest names."""
        if "x-static-large-object" not in user.head_object(self.namespace, image_id):
            return set()
        raw = "multipart-manifest=get"
        manifest = user.get_object(self.namespace, image_id, query_string=raw)[1]
        return {segment["name"].lstrip("/").partition("/")[2] for segment in json.loads(manifest)}

    def plant_leftover(self) -> str:
        container, segments = self._containers()
        upload = f"{RESERVED_PREFIX}0123456789abcdef0123456789abcdef/{container}/killed/"
        with self.client() as user:
            user.put_object(segments, f"{upload}00000001", b"what a killed add has sent")
        time.sleep(_IDLE + 1)  # no server lets its objects be backdated
        return f"{segments}/{upload}"

    def fault(self, kind: str) -> AbstractContextManager[None]:
        if kind != "hung":
            raise NotImplementedError(kind)
        return frozen(self.signal)

    def _user(self, name: str, key: str) -> Mapping[str, object]:
        auth_url = f"{self.endpoint}/auth/v1.0"
        return {"auth_url": auth_url, "auth_version": 1, "username": name, "password": key}

    def _containers(self) -> tuple[str, str]:
        return self.namespace, f"{self.namespace}_segments"


class TempauthHarness(SwiftHarness):
    """Swift, whose users are in its configuration."""

    absent: ClassVar = {**SwiftHarness.absent, "tls": _TELLS}

    def start(self) -> None:
        limits = {"container_listing_limit": self.page_size}
        self._server = self._running.enter_context(swift.swift(constraints=limits))
        self.endpoint = self._server.endpoint

    def who(self) -> Mapping[str, object]:
        return self._user(swift.USER, swift.KEY)

    def readers(self) -> Mapping[str, str]:
        return {"X-Container-Read": f"{swift.READER[0]}"}

    def denied_backend(self) -> storekit.Store:
        return self.open_as(self._user(*swift.READER))

    def restart(self) -> None:
        self._server.restart()

    def signal(self, number: int) -> None:
        self._server.signal(number)


class KeystoneHarness(TempauthHarness):
    """Swift, whose users Keystone knows.

    Where a relay of the kit is between, it is an object store of another region.
    """

    absent: ClassVar = SwiftHarness.absent
    region = "RegionOne"

    def start(self) -> None:
        self._keystone = self._running.enter_context(keystone.keystone())
        self.project = self._keystone.add_project("images")
        self._keystone.add_user(*_OWNER, self.project, "member")
        self._reader = self._keystone.add_user(*_READER, self.project, "reader")
        limits = {"container_listing_limit": self.page_size}
        self._server = self._running.enter_context(swift.swift(self._keystone, limits))
        self.endpoint = self._server.endpoint

    def behind(self, endpoint: str) -> Self:
        other = super().behind(endpoint)
        other.region = f"at-{endpoint.rpartition(':')[2]}"
        url = f"{endpoint}/v1/AUTH_$(project_id)s"
        self._keystone.add_endpoint("object-store", other.region, public=url)
        return other

    def who(self) -> Mapping[str, object]:
        return self._user(*_OWNER)

    def client(self) -> Any:
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        name, password = _OWNER
        named = {"username": name, "password": password, "project_name": "images", **domains}
        auth = v3.Password(self._keystone.auth_url, **named)
        return closing(swiftclient.Connection(session=session.Session(auth), retries=0))

    def readers(self) -> Mapping[str, str]:
        return {"X-Container-Read": f"{self.project}:{self._reader}"}

    def denied_backend(self) -> storekit.Store:
        return self.open_as(self._user(*_READER))

    def _user(self, name: str, key: str) -> Mapping[str, object]:
        known = {"auth_url": self._keystone.auth_url, "project": "images", "region": self.region}
        return {**known, "username": name, "password": key}


class MultiTenantHarness(KeystoneHarness):
    """Swift with Keystone, and a container for each image, whose lists say who may read it."""

    absent: ClassVar = {
        **KeystoneHarness.absent,
        "denied_backend": "there is no container before there is an image",
        "orphans": "segments are in the container of their image, and leftovers names them",
    }

    def make_store(self, **overrides: object) -> storekit.Store:
        return super().make_store(multi_tenant=True, create_container=True, **overrides)

    def acls(self, location: str) -> tuple[bool, Collection[str], Collection[str]]:
        with self.client() as user:
            headers = user.head_container(_place(location)[0])
        lists = [headers.get(f"x-container-{verb}", "") for verb in ("read", "write")]
        read, write = ({entry for entry in told.split(",") if entry} for told in lists)
        public = ".r:*" in read
        projects = [{entry.removesuffix(":*") for entry in told} for told in (read, write)]
        return public, projects[0] - {".r", ".r:*", ".rlistings"}, projects[1]


class RadosgwSwiftHarness(SwiftHarness):
    """radosgw: the gateway of a Ceph cluster, by Swift's API."""

    absent: ClassVar = {**SwiftHarness.absent, "tls": _TELLS}
    page_size = ceph.PAGE

    def start(self) -> None:
        self._cluster = self._running.enter_context(ceph.ceph(gateway=True))
        self.endpoint = self._cluster.endpoint

    def who(self) -> Mapping[str, object]:
        return self._user(*ceph.SWIFT)

    def denied_backend(self) -> storekit.Store:
        self._cluster.add_subuser("test:reader", "reading-0123456789", "read")
        return self.open_as(self._user("test:reader", "reading-0123456789"))

    def restart(self) -> None:
        self._cluster.restart_gateway()

    def segments_of(self, user: Any, image_id: str) -> set[str]:
        # It shows no manifest: the mark of the add must do.
        token = user.head_object(self.namespace, image_id).get("x-object-meta-storekit-token", "-")
        upload = f"{RESERVED_PREFIX}{token}/{self.namespace}/{image_id}/"
        found = user.get_container(self._containers()[1], prefix=upload, full_listing=True)[1]
        return {segment["name"] for segment in found}

    def signal(self, number: int) -> None:
        self._cluster.signal("radosgw", number)


def _place(location: str) -> tuple[str, str]:
    """Give container and object."""
    container, *name = Location(location).segments
    return container, "/".join(name)
