"""ACL: who may read and write an image."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import InvalidArgument, NotFound
from storekit.location import Location
from storekit.testing.case import Level, case
from storekit.testing.context import Context

ACL = Capability.ACL


def _settings(context: Context) -> list[tuple[bool, list[str], list[str]]]:
    """Give what is set in turn: public, readers, writers."""
    one, two = context.harness.projects
    # Never public with readers: there is no need to keep them, and some backends do not.
    return [
        (False, [one], []),
        (False, [one, two], [two]),
        (False, [], [one]),
        (True, [], []),
        (False, [two], [one, two]),
        (False, [], []),
    ]


@case(
    "ACL-01",
    needs=ACL,
    sentence="set_acls MUST take whether an image is public, and the projects that may read and"
    " write it, as often as it is asked, and leave the image as it is; where no image is it MUST"
    " raise NotFound, and for what is no list of project ids InvalidArgument before any I/O.",
    why="Who shares an image must know that it is shared, and with whom.",
    mistakes="Success for an image that is not there, whose id may be another's tomorrow; the"
    " letters of one id taken for many ids; the image written anew to change its lists.",
)
def taken(context: Context) -> None:
    """Set lists by name and by position; then where there is no image; then what is no list."""
    data = context.payload(997)
    location = context.image(data)
    client = context.store
    for public, read, write in _settings(context):
        client.set_acls(location, public=public, read=read, write=write)
        client.set_acls(location, public, tuple(read), tuple(write))
    context.same(client.get_size(location), len(data), "get_size after set_acls")
    if context.claims(Capability.GET):
        context.holds(location, data, context.other)
    missing = context.missing()
    for public, read, write in _settings(context):
        with context.expect_error(NotFound, did="set_acls where no image is"):
            client.set_acls(missing, public=public, read=read, write=write)
    one, two = context.harness.projects
    for wrong in (one, one.encode(), [one, ""], [one, 7], [[one]], 7, None, {one: two}):
        for name in ("read", "write"):
            did = f"set_acls with {name}={wrong!r}"
            with context.untouched(client, did), context.expect_error(InvalidArgument, did=did):
                client.set_acls(location, **{name: wrong})


@case(
    "ACL-02",
    level=Level.ROBUST,
    needs=ACL,
    sentence="What set_acls was told MUST be what the backend goes by: who may read and who may"
    " write, in place of all that was set before, and for this image alone.",
    why="A project that was taken off the list and can still read is a leak that nobody sees.",
    mistakes="Lists that are added to; an empty list that changes nothing; readers who may write;"
    " the rights of a container, and so of all images in it.",
)
def in_force(context: Context) -> None:
    """Set lists, and look at the backend's own after each."""
    context.harness.require("acls")
    location, beside = (context.image(context.payload(size)) for size in (997, 1))
    theirs = _lists(context, beside)
    for public, read, write in _settings(context):
        did = f"set_acls(public={public}, read={read}, write={write})"
        context.store.set_acls(location, public=public, read=read, write=write)
        wanted = (public, sorted(read), sorted(write))
        context.same(_lists(context, location), wanted, f"the access lists after {did}")
        context.same(_lists(context, beside), theirs, f"those of another image after {did}")


def _lists(context: Context, location: Location) -> tuple[bool, list[str], list[str]]:
    public, read, write = context.harness.acls(str(location))
    return public, sorted(read), sorted(write)
