"""Keys of cephx, the way of Ceph's daemons to prove who they are."""

import base64
import os
import struct
import time
from collections.abc import Mapping

__all__ = ["daemon_keys"]

_ALL = "allow *"
_DAEMON_CAPS = {
    "mon.": {"mon": _ALL},
    "client.admin": {"mon": _ALL, "osd": _ALL, "mgr": _ALL},
    "osd.0": {"mon": "allow profile osd", "osd": _ALL, "mgr": "allow profile osd"},
    "mgr.x": {"mon": "allow profile mgr", "osd": _ALL},
}


def daemon_keys() -> str:
    """Make a keyring with a key for each daemon of a cluster of one node."""
    return "".join(_key_of(name, caps) for name, caps in _DAEMON_CAPS.items())


def _key_of(name: str, caps: Mapping[str, str]) -> str:
    """Make a key, and the section of a keyring that has it; see CryptoKey::encode of Ceph."""
    key = base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16))
    lines = [f'caps {daemon} = "{what}"' for daemon, what in caps.items()]
    return "\n".join([f"[{name}]", f"key = {key.decode()}", *lines, ""])
