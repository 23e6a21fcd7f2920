"""Rbd: images as block devices in a pool of a Ceph cluster, laid out as for Nova and Cinder.

Run against Ceph 16.2. An image is written under a hidden name, gets its protected snapshot
``snap``, and is then renamed to its id: the rename is the commit. So nothing is visible before it
is whole, and what a kill leaves is a hidden image, whose watcher tells whether it is alive.

Special is that librados and librbd have no bindings on PyPI (see ``bindings``), that a cluster can
stop answering and the libraries then wait for ever unless they are told not to (see ``cluster``),
and that librbd's rename says yes to more than one (see ``commit``).
"""

from storekit.drivers.rbd.driver import RbdDriver
from storekit.drivers.rbd.options import Options

__all__ = ["Options", "RbdDriver"]
