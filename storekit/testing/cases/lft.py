"""LFT: what crashes leave behind is found and removed, and nothing else is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from storekit.capabilities import Capability
from storekit.errors import DigestMismatch, Duplicate, SizeMismatch
from storekit.testing.case import Level, Violation, case
from storekit.testing.cases.con_add import overtaken
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.journal import Client
from storekit.testing.sources import Tap, Trickle
from storekit.values import Leftover

ADD = Capability.ADD
_SKEW = timedelta(minutes=5)  # between the clocks of the backend and of this machine
_DAY = timedelta(hours=24)


def _names(leftovers: list[Leftover]) -> set[str]:
    return {leftover.name for leftover in leftovers}


@case(
    "LFT-01",
    level=Level.ROBUST,
    needs=ADD,
    exclusive=True,
    sentence="A store on which every add ended, well or not, and one that lost a race too, MUST"
    " list no leftover, whatever the age asked for, and hold none.",
    why="A list that is never empty is a list that nobody reads.",
    mistakes="An upload that is not closed after its commit, or after an error; one that stays"
    " when the commit finds the id taken; images listed.",
)
def none(context: Context) -> None:
    """Add, fail, lose, read and delete; then ask for leftovers, and what belongs to no image."""
    client = context.store
    at_rest = context.orphans()
    before = _names(context.leftovers(context.other))
    part = min(context.part_size, 1 << 20)
    locations = [context.image(context.payload(size)) for size in (0, 1, 2 * part + 7)]
    taken = context.new_id()
    context.image(context.payload(997), taken)
    with context.expect_error(Duplicate, did="an add of a taken id"):
        client.add(taken, b"another")
    with context.expect_error(SizeMismatch, did="an add of too few bytes"):
        client.add(context.new_id(), Tap(context.payload(2 * part)), 2 * part + 1)
    error = context.own(ValueError("boom"))

    def fail(position: int) -> None:
        if position > part:
            raise error

    with context.expect_error(ValueError, did="an add whose source fails"):
        client.add(context.new_id(), Tap(context.payload(3 * part), at=fail), 3 * part)
    with context.expect_error(DigestMismatch, did="an add of other bytes than expected"):
        data = Tap(context.payload(2 * part))
        client.add(context.new_id(), data, 2 * part, expect={"md5": "0" * 32})
    with context.expect_error(ValueError, did="an add whose verifier refuses it"):
        data = Tap(context.payload(2 * part))
        client.add(context.new_id(), data, 2 * part, verifier=_Refusing(error))
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        client.add(context.new_id(), Trickle(*[context.payload(part)] * 3))
    if context.claims(Capability.GET):
        with client.get(locations[-1]) as reader:
            next(reader)
    if context.claims(Capability.DELETE):
        client.delete(locations[-1])
    # Late, so that the one of them that loses has an upload, and is told by the commit.
    for size in (997, 2 * context.part_size + 7):
        overtaken(context, size, late=True)
    for other in (client, context.client()):
        found = _names(context.leftovers(other)) - before
        context.check(not found, "no leftover", sorted(found), "adds that have all ended")
    left = context.orphans() - at_rest
    context.check(not left, "nothing at rest", sorted(left), "adds that have all ended")


class _Refusing:
    """A verifier that likes no image."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def update(self, _: bytes) -> None:
        """Refuse."""
        raise self._error


@case(
    "LFT-02",
    level=Level.ROBUST,
    needs=ADD,
    exclusive=True,
    sentence="An upload that is alive MUST NOT be listed as a leftover nor reclaimed, by whichever"
    " client or process, whatever the age asked for.",
    why="An operator who tidies up must not destroy what somebody is storing right now.",
    mistakes="Going by age alone; knowing only the uploads of this process; a reclaim that does"
    " not look again.",
)
def alive(context: Context) -> None:
    """Ask for leftovers in the middle of an add, from here and from another process."""
    part = min(context.part_size, 1 << 20)
    data = context.payload(6 * part + 7)
    before = _names(context.leftovers(context.other))
    budget = context.budget(2)
    points = [3 * part, 5 * part, len(data)]

    def tidy(position: int) -> None:
        if not points or position < points[0]:
            return
        points.pop(0)
        for client in (context.store, context.other):
            _spared(_tidied(client), before, f"{position} bytes into an add, by this process")
        seen = in_child(lambda: _tidied_by(context.harness), budget)
        _spared(seen, before, f"{position} bytes into an add, by another process")

    pieces = Tap(data, at=tidy)
    try:
        stored = context.store.add(context.new_id(), _InPieces(pieces, part), len(data))
    except Violation:
        raise
    except Exception as error:
        did = "an add while others reclaim"
        raise Violation("the add succeeds", f"{type(error).__name__}: {error}", did) from error
    context.holds(stored.location, data, context.other)


class _InPieces:
    """A file object that gives a part at most, so that there are points in between."""

    def __init__(self, file: Tap, part: int) -> None:
        self._file = file
        self._part = part

    def read(self, n: int = -1) -> bytes:
        """Give the next bytes."""
        return self._file.read(self._part if n < 0 else min(n, self._part))


def _tidied(client: Client) -> tuple[set[str], set[str]]:
    """List, then reclaim, of any age."""
    listed = _names(list(client.leftovers(timedelta(0))))
    return listed, _names(list(client.reclaim(timedelta(0))))


def _tidied_by(harness: Harness) -> tuple[set[str], set[str]]:
    with harness.make_store() as store:
        listed = _names(list(store.leftovers(timedelta(0))))
        return listed, _names(list(store.reclaim(timedelta(0))))


def _spared(seen: tuple[set[str], set[str]], before: set[str], did: str) -> None:
    listed, reclaimed = (names - before for names in seen)
    if reclaimed:
        raise Violation("a live upload is not reclaimed", f"reclaimed: {sorted(reclaimed)}", did)
    if listed:
        raise Violation("a live upload is no leftover", f"listed: {sorted(listed)}", did)


@case(
    "LFT-03",
    level=Level.ROBUST,
    hooks=("plant_leftover",),
    sentence="What a killed add left MUST be listed with its size and age, and removed by reclaim;"
    " nothing else MUST be.",
    why="Storage that nobody can find is paid for, for ever; an image that is tidied away is lost.",
    mistakes="Leftovers found by a name that images may have too; a reclaim that lists, and"
    " removes nothing; the age asked for not looked at.",
)
def found(context: Context) -> None:
    """Plant a leftover beside images, list it, reclaim it."""
    kept = {}
    for size in (0, 997, 2 * min(context.part_size, 1 << 20) + 7):
        data = context.payload(size)
        kept[context.image(data)] = data
    before = {leftover.name: leftover for leftover in context.leftovers()}
    at_rest = context.orphans()
    planted = context.harness.plant_leftover()
    listed = {leftover.name: leftover for leftover in context.leftovers()}
    did = "a killed add"
    if planted not in listed:
        raise Violation(f"{planted} is listed", f"listed: {sorted(listed)}", did)
    more = set(listed) - set(before) - {planted}
    context.check(not more, f"{planted} and nothing more", f"listed too: {sorted(more)}", did)
    _described(context, listed[planted])
    _asked_by_age(context, listed[planted])
    reclaimed = _names(list(context.other.reclaim(timedelta(0))))
    context.check(planted in reclaimed, f"{planted} is reclaimed", sorted(reclaimed), "reclaim")
    left = _names(context.leftovers(context.client())) - (set(before) - {planted})
    context.check(not left, "no leftover after reclaim", sorted(left), "reclaim")
    left = context.orphans() - at_rest
    context.check(not left, "nothing at rest after reclaim", sorted(left), "reclaim")
    for location, data in kept.items():
        context.same(context.store.get_size(location), len(data), "an image's size after reclaim")
        context.holds(location, data, context.other)


def _described(context: Context, leftover: Leftover) -> None:
    did = f"the leftover {leftover.name}"
    context.same(leftover.store, context.store.name, f"the store of {did}")
    size = leftover.size
    sized = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    context.check(sized, "a size in bytes", repr(size), did)
    modified = leftover.modified
    if modified is None:
        return
    now = datetime.now(UTC)
    aware = modified.utcoffset() == timedelta(0)
    context.check(aware, "a time in UTC", repr(modified), did)
    # A harness may plant one that is old enough to count as dead.
    context.check(modified <= now + _SKEW, "a time that is not to come", str(modified), did)


def _asked_by_age(context: Context, leftover: Leftover) -> None:
    """Ask for older ones than this one is: it must neither be listed nor reclaimed."""
    if leftover.modified is None:
        return
    with suppress(OverflowError):
        older = datetime.now(UTC) - leftover.modified + _SKEW + _DAY
        did = f"what is older than {older}"
        for names in (
            _names(list(context.store.leftovers(older))),
            _names(list(context.store.reclaim(older))),
        ):
            expected = f"not {leftover.name}, which is younger"
            context.check(leftover.name not in names, expected, sorted(names), did)
        younger = max(older - 2 * (_SKEW + _DAY), timedelta(0))
        names = _names(list(context.store.leftovers(younger)))
        context.check(leftover.name in names, f"{leftover.name}", sorted(names), "younger ones")
