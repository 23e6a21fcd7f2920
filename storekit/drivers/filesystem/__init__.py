"""Filesystem: images as files in one directory or several.

Linux, any filesystem: what it can do is tried when the store is opened. Run against ext4, xfs,
btrfs, tmpfs and a FUSE filesystem. An image is written to a file without a name, which gets the
image's name in one step, the commit; so a kill leaves nothing. Where a filesystem has no unnamed
files, hard links, holes or modes, the driver takes another road or withdraws the promise.
"""

from storekit.drivers.filesystem.driver import FilesystemDriver
from storekit.drivers.filesystem.options import Options

__all__ = ["FilesystemDriver", "Options"]
