"""Swift: images as objects in containers of OpenStack Swift, or of radosgw.

Run against Swift 2.38 with tempauth and with Keystone 30, and against radosgw of Ceph 16.2. An
image that fits into one part is one PUT; a longer one is a static large object (SLO): segments in
a container of their own, and a manifest that names them with their checksums, whose PUT is the
commit. So nothing is visible before it is whole, and what a kill leaves are segments, which no
verb shows.

Special is that a server which honours ``If-None-Match: *`` checks first and then writes: of
writers that race several may be told that they won. So EXCLUSIVE_ADD is not claimed.
"""

from storekit.drivers.swift.driver import SwiftDriver
from storekit.drivers.swift.options import Options

__all__ = ["Options", "SwiftDriver"]
