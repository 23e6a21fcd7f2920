"""What filesystem a descriptor is on, without asking the filesystem: it may hang."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

__all__ = ["filesystem_of", "forgets", "is_remote", "locks_are_local", "still_open"]

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


def filesystem_of(fd: int) -> str:
    """Tell the type of the filesystem that an open file is on.

    Args:
        fd: The open file.

    Returns:
        The name that /proc/self/mountinfo has, such as ``ext4`` or ``fuse.sshfs``; empty if
        /proc cannot tell.
    """
    with suppress(OSError):
        match = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{fd}").read_text())
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields = line.split()
            if match is not None and fields[0] == match[1]:
                return fields[fields.index("-") + 1]
    return ""


def is_remote(filesystem: str) -> bool:
    """Tell whether a call on it may hang: a network, FUSE, or not known.

    Args:
        filesystem: What ``filesystem_of`` returned.
    """
    return not filesystem or filesystem in _REMOTE or filesystem.startswith("fuse.")


def locks_are_local(filesystem: str) -> bool:
    """Tell whether its locks may exclude the processes of this machine only, not of others.

    Args:
        filesystem: What ``filesystem_of`` returned.
    """
    return filesystem in _LOCAL_LOCKS or filesystem.startswith("fuse.")


def forgets(filesystem: str) -> bool:
    """Tell whether all of it is lost when the machine stops.

    Args:
        filesystem: What ``filesystem_of`` returned.
    """
    return filesystem in _VOLATILE


def still_open(filesystem: str, name: bytes) -> bool:
    """Tell whether a file was removed already, and is only kept for those who have it open.

    Args:
        filesystem: What ``filesystem_of`` returned.
        name: The file's name.
    """
    pattern = _STILL_OPEN.get(filesystem[:3])
    return pattern is not None and pattern.fullmatch(name) is not None
