"""What filesystem a descriptor is on, without asking the filesystem: it may hang."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Filesystem", "filesystem_of", "forgets", "is_remote", "locks_are_local", "still_open"]

_MOUNT_ID = re.compile(r"^mnt_id:\s*([0-9]+)", re.MULTILINE)
_REMOTE = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2", "gpfs", "lustre",
        "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf",
        "virtiofs", "wekafs",
    }
)  # fmt: skip
# Their flock is not known to reach the other machines that have the same directory.
_LOCAL_LOCKS = frozenset({"9p", "afs", "coda", "fuse", "prl_fs", "smbfs", "vboxsf", "virtiofs"})
# What becomes of a file that is removed while somebody reads it: names that such filesystems make.
_STILL_OPEN = {
    "nfs": re.compile(rb"\.nfs[0-9a-f]{24}"),
    "fus": re.compile(rb"\.fuse_hidden[0-9a-f]{16}"),
}
_VOLATILE = frozenset({"ramfs", "tmpfs"})


class Filesystem(NamedTuple):
    """What /proc/self/mountinfo says of a filesystem; empty texts if /proc cannot tell."""

    kind: str = ""
    """Its type, such as ``ext4`` or ``fuse.sshfs``."""
    device: str = ""
    """Which one it is. The device that stat tells differs among the subvolumes of one btrfs."""


def filesystem_of(fd: int) -> Filesystem:
    """Tell the filesystem that an open file is on.

    Args:
        fd: The open file.
    """
    with suppress(OSError):
        match = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{fd}").read_text())
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields = line.split()
            if match is not None and fields[0] == match[1]:
                return Filesystem(fields[fields.index("-") + 1], fields[2])
    return Filesystem()


def is_remote(filesystem: str) -> bool:
    """Tell whether a call on it may hang: a network, FUSE, or not known.

    Args:
        filesystem: Its type, as ``filesystem_of`` told.
    """
    return not filesystem or filesystem in _REMOTE or filesystem.startswith("fuse.")


def locks_are_local(filesystem: str) -> bool:
    """Tell whether its locks may exclude the processes of this machine only, not of others.

    Args:
        filesystem: Its type, as ``filesystem_of`` told.
    """
    return filesystem in _LOCAL_LOCKS or filesystem.startswith("fuse.")


def forgets(filesystem: str) -> bool:
    """Tell whether all of it is lost when the machine stops.

    Args:
        filesystem: Its type, as ``filesystem_of`` told.
    """
    return filesystem in _VOLATILE


def still_open(filesystem: str, name: bytes) -> bool:
    """Tell whether a file was removed already, and is only kept for those who have it open.

    Args:
        filesystem: Its type, as ``filesystem_of`` told.
        name: The file's name.
    """
    pattern = _STILL_OPEN.get(filesystem[:3])
    return pattern is not None and pattern.fullmatch(name) is not None
