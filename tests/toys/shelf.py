"""A dict in memory: the whole image at once, the commit is one assignment."""

import threading

from pydantic import Field

from storekit.capabilities import Capability, Limits
from storekit.driver import Capacity, Content, Driver, DriverOptions, Listing
from storekit.errors import Duplicate, NotFound
from storekit.location import Location


class ShelfOptions(DriverOptions):
    """Options of a shelf."""

    room: int = 1 << 30
    labels: dict[str, str] = Field(default_factory=dict)


class ShelfDriver(Driver):
    """Images in a dict of this process."""

    schemes = ("shelf",)
    options = ShelfOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.CAPACITY
        | Capability.EXCLUSIVE_ADD
        | Capability.THREAD_SAFE
    )
    limits = Limits(read_chunk=1 << 16)
    example_locations = ("shelf://toys/teddy",)
    config: ShelfOptions

    def __init__(self, store_name, options):
        super().__init__(store_name, options)
        self._images = {}
        self._lock = threading.Lock()

    def owns(self, location):
        return location.authority == self.store_name and len(location.segments) == 1

    def add(self, image_id, source, context=None):
        if image_id in self._images:
            raise Duplicate("the id is taken")
        image = b"".join(source.chunks(self.limits.write_chunk))
        with self._lock:
            if self._images.setdefault(image_id, image) is not image:
                raise Duplicate("the id is taken")
        return Location.build("shelf", self.store_name, image_id)

    def get(self, location, offset, length, context=None):
        image = self._image(location)
        end = len(image) if length is None else offset + length
        return Content(len(image), (image[offset:end],))

    def get_size(self, location, context=None):
        return len(self._image(location))

    def delete(self, location, context=None):
        self._image(location)
        del self._images[location.segments[0]]

    def metadata(self, location, context=None):
        return dict(self.config.labels)

    def list(self, context=None):
        for image_id, image in self._images.items():
            yield Listing(image_id, Location.build("shelf", self.store_name, image_id), len(image))

    def capacity(self, context=None):
        return Capacity(self.config.room, self.config.room - sum(map(len, self._images.values())))

    def _image(self, location):
        if location.segments[0] not in self._images:
            raise NotFound("no such image")
        return self._images[location.segments[0]]
