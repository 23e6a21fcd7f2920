"""The harness's side of the reference server: set up, look inside, break."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from storekit.testing.reference.vault import Namespace, Refused

if TYPE_CHECKING:
    from storekit.testing.reference.server import Server

__all__ = ["administer"]


def administer(
    server: Server, method: str, parts: list[str], query: Mapping[str, str], body: bytes
) -> bytes:
    """Do what a harness asks.

    Args:
        server: The server.
        method: PUT makes a namespace, GET looks, POST acts, DELETE removes it.
        parts: The namespace, and what to do.
        query: How.
        body: The settings of a new namespace.

    Raises:
        Refused: There is no such thing.
    """
    name = parts[0]
    if method == "PUT":
        server.namespaces[name] = Namespace(**json.loads(body))
        return b""
    space = server.namespaces.get(name)
    if space is None:
        raise Refused(404, "no such namespace")
    if method == "DELETE":
        space.healthy.set()
        _disconnect(server, name)
        del server.namespaces[name]
        return b""
    if method == "GET":
        return json.dumps(_inside(space)).encode()
    _act(server, name, space, parts[1], query)
    return b""


def _inside(space: Namespace) -> dict[str, object]:
    return {
        "images": {
            image_id: {
                "data": base64.b64encode(image.data).decode(),
                "version": image.version,
                "modified": image.modified,
                "acl": image.acl,
            }
            for image_id, image in list(space.images.items())  # others change them meanwhile
        },
        "uploads": sorted(space.uploads),
        "requests": dict(space.requests),
    }


def _act(
    server: Server, name: str, space: Namespace, action: str, query: Mapping[str, str]
) -> None:
    match action:
        case "fault":
            space.fault = query["kind"] or None
            if space.fault == "hung":
                space.healthy.clear()
            else:
                space.healthy.set()
        case "hold":
            space.image(query["id"]).holders += int(query["by"])
        case "leftover":
            space.begin(query["name"], "killed", "a session that ended", 0)
            space.part(query["name"], 1, b"a part of a killed add")
        case "restart":
            _disconnect(server, name)
        case _:
            raise Refused(400, "no such action")


def _disconnect(server: Server, name: str) -> None:
    for connection in list(server.connections.pop(name, set())):  # likewise
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
