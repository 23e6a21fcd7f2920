"""A shelf that can do everything and writes down what was asked of it, with whose context."""

from datetime import timedelta

from pydantic import Field, SecretStr

from storekit.capabilities import Capability
from storekit.driver import Leftover
from toys.shelf import ShelfDriver, ShelfOptions


class RecorderOptions(ShelfOptions):
    """Options of a recorder."""

    password: SecretStr | None = None
    more: dict[str, SecretStr] = Field(default_factory=dict)


class RecorderDriver(ShelfDriver):
    """Writes down every verb. ``asked`` belongs to the class: derive one for each test."""

    schemes = ("shelf", "case")
    options = RecorderOptions
    capabilities = ShelfDriver.capabilities | Capability.ACL
    asked: list

    def open(self):
        self.asked.append(("open", None))

    def close(self):
        self.asked.append(("close", None))

    def add(self, image_id, source, context=None):
        self.asked.append(("add", context))
        return super().add(image_id, source, context)

    def get(self, location, offset, length, context=None):
        self.asked.append(("get", context))
        return super().get(location, offset, length, context)

    def get_size(self, location, context=None):
        self.asked.append(("get_size", context))
        return super().get_size(location, context)

    def delete(self, location, context=None):
        self.asked.append(("delete", context))
        return super().delete(location, context)

    def metadata(self, location, context=None):
        self.asked.append(("metadata", context))
        return super().metadata(location, context)

    def list(self, context=None):
        self.asked.append(("list", context))
        return super().list(context)

    def leftovers(self, older_than, context=None):
        self.asked.append(("leftovers", context))
        assert isinstance(older_than, timedelta)
        yield Leftover("crumb", self.store_name, 1)

    def reclaim(self, leftover, context=None):
        self.asked.append(("reclaim", context))

    def set_acls(self, location, public, read, write, context=None):
        self.asked.append(("set_acls", context))
        self.asked.append((public, read, write))

    def capacity(self, context=None):
        self.asked.append(("capacity", context))
        return super().capacity(context)

    def copy_from(self, other, location, image_id, context=None):
        self.asked.append(("copy_from", context))


def recorder(**members):
    """Make a class of its own for one test, with other members if need be."""
    return type("RecorderDriver", (RecorderDriver,), {"asked": [], **members})
