"""S3: images as objects in one bucket, over the S3 protocol.

For Amazon S3 and servers that speak its protocol. Run against radosgw of Ceph 16.2, versitygw 1.8
and moto; MinIO on demand. An image that fits into one part is one PutObject; a longer one is a
multipart upload, whose completion is the commit. So nothing is visible before it is whole, and
what a kill leaves is an unfinished upload, which no verb shows.

Special is that servers differ in what a conditional write is worth: see ``conditional``.
"""

from storekit.drivers.s3.driver import S3Driver
from storekit.drivers.s3.options import Options

__all__ = ["Options", "S3Driver"]
