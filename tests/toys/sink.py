"""A driver that keeps no byte, and gives as many zeros as were stored: for measuring."""

from storekit.capabilities import Capability
from storekit.driver import Content, Driver
from storekit.location import Location


class SinkDriver(Driver):
    """Keeps sizes and nothing else."""

    schemes = ("sink",)
    capabilities = (
        Capability.GET | Capability.GET_RANGE | Capability.ADD | Capability.ADD_UNKNOWN_SIZE
    )

    def __init__(self, store_name, options):
        super().__init__(store_name, options)
        self._sizes = {}

    def add(self, image_id, source, context=None):
        self._sizes[image_id] = sum(map(len, source.chunks(self.limits.write_chunk)))
        return Location.build("sink", self.store_name, image_id)

    def get(self, location, offset, length, context=None):
        total = self._sizes[location.segments[0]]
        end = total if length is None else min(total, offset + length)
        return Content(total, self._zeros(max(0, end - offset)))

    def get_size(self, location, context=None):
        return self._sizes[location.segments[0]]

    def _zeros(self, left):
        while left:
            chunk = bytes(min(left, self.limits.read_chunk))
            left -= len(chunk)
            yield chunk
