"""The s3 driver: the verbs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import ClassVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from storekit.arguments import check_id
from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Content, Driver, DriverOptions, Leftover, Listing
from storekit.drivers.s3.bucket import Bucket
from storekit.drivers.s3.commit import failure_of, leaves_doubt, look
from storekit.drivers.s3.conditional import Conditional
from storekit.drivers.s3.faults import fault_of, status_of
from storekit.drivers.s3.options import MOST_PART, Options
from storekit.drivers.s3.reading import read
from storekit.drivers.s3.upload import Upload
from storekit.drivers.s3.uploads import Unfinished, unfinished
from storekit.errors import Duplicate, InvalidArgument, StoreError, Unavailable
from storekit.location import Location
from storekit.perprocess import PerProcess
from storekit.source import Source
from storekit.transfer import PartSizes

__all__ = ["S3Driver"]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_LARGEST = 5 << 40
_LONGEST_KEY = 1024
_AMAZON = ".amazonaws.com"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_COPY_PART = 1 << 30
_CANNOT_COPY = frozenset({403, 404, 501})


class S3Driver(Driver):
    """Images as objects in a bucket."""

    interface = 1
    schemes = ("s3+https", "s3+http", "s3")
    options: ClassVar[type[DriverOptions]] = Options
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.EXCLUSIVE_ADD
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.DURABLE
        | Capability.STRONG_CONSISTENCY
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits(max_image_size=_LARGEST)
    example_locations = (
        "s3+https://s3.example.net:8443/images/cirros-0.6.3",
        "s3+http://192.0.2.7:7070/images/glance/with%20a%20space",
    )
    config: Options

    def __init__(self, store_name: str, options: Options) -> None:
        super().__init__(store_name, options)
        limits, prefix = self.limits, options.prefix
        reach = limits.max_parts * min(limits.window * limits.part_size, MOST_PART)
        self.limit(
            max_image_size=min(limits.max_image_size, reach),
            max_id_length=min(limits.max_id_length, _LONGEST_KEY - len(prefix.encode())),
        )
        known = {"yes": True, "no": False, "auto": None}[options.conditional_writes]
        self._conditional = Conditional(known, prefix)
        self._bucket = PerProcess(lambda: Bucket(self.config, self.limits))
        self._url = options.endpoint

    def open(self) -> None:
        """Connect, and see whether the bucket is there.

        Raises:
            Unavailable: It is not.
        """
        if self._conditional.honoured is False:
            self._withdraw("conditional_writes = no")
        bucket = self._bucket.get()
        self._url = bucket.url
        try:
            bucket.check()
        except Unavailable as missing:
            if not self.config.create_bucket or not isinstance(missing.__cause__, ClientError):
                raise
            bucket.create()

    def close(self) -> None:
        """Close the connections. May be called twice, and without ``open``."""
        if bucket := self._bucket.take():
            bucket.close()

    def owns(self, location: Location) -> bool | None:
        """Tell whether a location is an object of this store. No I/O.

        Args:
            location: A location.
        """
        bucket, *segments = location.segments or ("",)
        if bucket != self.config.bucket or not _is_image("/".join(segments), self.config.prefix):
            return False
        if self._url is None:
            return None
        return _same_server(location, self._url)

    def image_id(self, location: Location) -> str:
        """Tell the id that an image was added under.

        Args:
            location: A location that this store owns.
        """
        return self._key_of(location).removeprefix(self.config.prefix)

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map what the server answered, and what botocore met.

        Args:
            error: What escaped from a verb.
            operation: The verb.
        """
        return fault_of(error, operation)

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image.

        Args:
            image_id: Its id.
            source: Its bytes.
            context: Not used.

        Returns:
            Where it is.

        Raises:
            Duplicate: The key is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
            StorageFull: It takes more parts than there may be.
        """
        bucket, key = self._bucket.get(), self.config.prefix + image_id
        self._refuse_taken(bucket, key)
        upload = Upload(bucket, key, exclusive=self._exclusive(bucket))
        limits = self.limits
        sizes = PartSizes(limits.part_size, limits.window, limits.max_parts, source.size)
        if source.fits(sizes[1]):
            digests = {f"storekit-{name}": hexa for name, hexa in source.digests.items()}
            upload.put(source.read(sizes[1]), digests)
        else:
            upload.send_parts(sizes, source)
        return self._location(bucket, key)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image.

        Args:
            location: Where it is.
            offset: The first byte.
            length: How many bytes at most.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            DataError: The server sent something else than was asked for.
        """
        return read(self._bucket.get(), self._key_of(location), offset, length, self.limits)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
        """
        return self._bucket.get().head(self._key_of(location)).size

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image. The server says yes to a missing one too, so it is looked at before.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            OutcomeUnknown: The answer was lost and cannot be found out.
        """
        bucket, key = self._bucket.get(), self._key_of(location)
        bucket.head(key)
        error = failure_of(partial(bucket.call, "delete_object", Key=key))
        if error is not None and not (leaves_doubt(error) and look(bucket, key, error) is None):
            raise error

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through the images: the objects whose keys are the prefix and an id.

        Args:
            context: Not used.
        """
        bucket, prefix = self._bucket.get(), self.config.prefix
        page: dict[str, object] = {}
        while True:
            answer = bucket.call("list_objects_v2", Prefix=prefix, **page)
            for item in answer.get("Contents", ()):
                key = str(item["Key"])
                if _is_image(key, prefix):
                    place = self._location(bucket, key)
                    image_id = key.removeprefix(prefix)
                    yield Listing(image_id, place, int(item["Size"]), item["LastModified"])
            if not answer.get("IsTruncated"):
                return
            page = {"ContinuationToken": answer["NextContinuationToken"]}

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the multipart uploads on which nobody works any more.

        Args:
            older_than: The least age.
            context: Not used.
        """
        for upload in unfinished(self._bucket.get(), self.config.prefix):
            ours = _is_image(upload.key, self.config.prefix) or upload.key == self._conditional.key
            if ours and upload.is_dead(self.config.upload_idle) and upload.age >= older_than:
                yield upload.leftover(self.store_name)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Abort an upload, unless somebody works on it.

        Args:
            leftover: One that ``leftovers`` gave.
            context: Not used.

        Raises:
            NotFound: It is gone.
            InUse: Somebody does.
        """
        bucket = self._bucket.get()
        upload = Unfinished.of(bucket, leftover)
        upload.check_dead(self.config.upload_idle)
        upload.abort(bucket)

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Have the server copy an image of the same endpoint.

        Args:
            other: The driver of the store that has it.
            location: Where it is.
            image_id: The id of the copy.
            context: Not used.

        Returns:
            Where the copy is; None where the server, or our user, cannot copy it.

        Raises:
            Duplicate: The key is taken.
            DataError: The image changed meanwhile.
        """
        bucket, key = self._bucket.get(), self.config.prefix + image_id
        if not isinstance(other, S3Driver) or other._bucket.get().url != bucket.url:  # noqa: SLF001 - same class
            return None
        if "customer" in {self.config.sse, other.config.sse}:
            return None
        source = other._key_of(location)  # noqa: SLF001 - same class
        head = other._bucket.get().head(source)  # noqa: SLF001 - same class
        if not head.size:
            return None
        self._refuse_taken(bucket, key)
        part = max(_COPY_PART, -(-head.size // self.limits.max_parts))
        ranges = ((begin, min(begin + part, head.size) - 1) for begin in range(0, head.size, part))
        upload = Upload(bucket, key, exclusive=self._exclusive(bucket))
        try:
            upload.copy_parts({"Bucket": other.config.bucket, "Key": source}, head, ranges)
        except ClientError as error:
            if status_of(error) in _CANNOT_COPY:
                return None
            raise
        return self._location(bucket, key)

    def _exclusive(self, bucket: Bucket) -> bool:
        honoured = self._conditional.find_out(bucket)
        if not honoured:
            self._withdraw("the server does not honour If-None-Match")
        return honoured

    def _withdraw(self, reason: str) -> None:
        self.narrow(Capability.EXCLUSIVE_ADD, f"{reason}: of two writers of one id both may win")

    def _refuse_taken(self, bucket: Bucket, key: str) -> None:
        if bucket.find(key) is not None:
            raise Duplicate("the id is taken")

    def _location(self, bucket: Bucket, key: str) -> Location:
        url = urlsplit(bucket.url)
        return Location.build(f"s3+{url.scheme}", url.netloc, self.config.bucket, *key.split("/"))

    def _key_of(self, location: Location) -> str:
        return "/".join(location.segments[1:])


def _is_image(key: str, prefix: str) -> bool:
    if not key.startswith(prefix):
        return False
    try:
        check_id(key.removeprefix(prefix), _LONGEST_KEY)
    except InvalidArgument:
        return False
    return True


def _same_server(location: Location, url: str) -> bool:
    """Tell whether a location names the server; one of Amazon's goes by many names."""
    ours = urlsplit(url)
    host, port = location.host_port
    if (ours.hostname or "").endswith(_AMAZON) and host.lower().endswith(_AMAZON):
        return True
    default = _DEFAULT_PORTS[ours.scheme]
    return (host.lower(), port or default) == (ours.hostname, ours.port or default)
