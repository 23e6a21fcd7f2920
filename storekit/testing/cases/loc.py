"""LOC: the URIs under which images are found again."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from storekit.capabilities import Capability
from storekit.errors import InvalidLocation, NotFound, StoreError
from storekit.location import Location
from storekit.testing.case import NotApplicable, Violation, case
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.journal import Client

_ROUNDS = 500
_ODD = " %+#?&=;é中\U0001f600\u202e@:/\\\"'<>[]{}|^`~\x00\n\x7f\ud800"


def _somewhere(context: Context) -> Location:
    if context.claims(Capability.ADD) or context.harness.offers("plant"):
        return context.image(context.payload(997))
    return Location(context.store.driver.example_locations[0])


def _verbs(client: Client) -> dict[str, Callable[[str], object]]:
    return {"get_size": client.get_size, "get": client.get, "delete": client.delete}


@case(
    "LOC-01",
    exclusive=True,
    sentence="The location that add returns MUST survive being written down and read again, and"
    " MUST work in a new process.",
    why="It is kept in a database, and read by another machine years later.",
    mistakes="State of the process in it; a text that parses to something else.",
)
def round_trip(context: Context) -> None:
    """Write a location down, and read the image by it in another process."""
    data = context.payload(10_007)
    location = context.image(data)
    text = str(location)
    context.same(Location(text), location, "the location, read again")
    context.same(str(Location(text)), text, "its text, written again")
    context.same(context.store.get_size(text), len(data), "get_size by the text")
    if not context.claims(Capability.GET):
        return
    harness = context.harness

    def read() -> bytes:
        with harness.make_store() as store, store.get(text) as reader:
            return reader.read()

    context.same(in_child(read, context.budget(2)), data, "the bytes read by another process")


@case(
    "LOC-02",
    sentence="The driver's example locations MUST be there, be its own, and be written as they were"
    " read.",
    why="They are the documentation, and what other cases build on.",
    mistakes="An example that the driver itself would not write; a credential in it.",
)
def examples(context: Context) -> None:
    """Parse the examples, and write them again."""
    driver = context.store.driver
    examples_ = type(driver).example_locations
    context.check(examples_, "at least one example location", examples_)
    for text in examples_:
        location = Location(text)
        context.same(str(location), text, "an example, written again")
        context.check(location.scheme in driver.schemes, "a scheme of the driver", text)
        context.same(location.userinfo, None, f"the credential in {text}")


@case(
    "LOC-03",
    sentence="A location built from its parts MUST equal the one that was parsed.",
    why="There is one way to write a location, so that equal ones are the same image.",
    mistakes="Escapes written in two ways; a doubled slash.",
)
def from_parts(context: Context) -> None:
    """Take locations apart, and build them again."""
    texts = [*type(context.store.driver).example_locations, str(_somewhere(context))]
    if context.claims(Capability.ADD):
        texts.append(str(context.image(b"odd", context.new_id(" %~+é!*'()"))))
    for text in texts:
        parsed = Location(text)
        built = Location.build(
            parsed.scheme, parsed.authority, *parsed.segments, query=parsed.query or None
        )
        context.same(built, parsed, f"{text}, built from its parts")
        context.same(str(built), text, f"{text}, written again")


def _malformed(location: Location) -> list[str]:
    scheme, text = location.scheme, str(location)
    behind = text.split("://", 1)[1]
    path = behind[len(location.authority) :]
    authority = location.authority or "host"
    return [
        *("", "nonsense", scheme, f"{scheme}:", f"{scheme}://", f"{scheme}:///", f"{scheme}:/x"),
        *(f"{scheme}://{authority}", f"{scheme}://{authority}/"),
        f"{scheme}://{path}" if location.authority else f"{scheme}://{authority}{path}",
        f"{scheme}://{authority}:99999{path}",
        f"{scheme}://{authority}:port{path}",
        f"{scheme}://a@b@{authority}{path}",
        *(text + "\x00", text + "%00", text + "\n", text + "%0a", f" {text}", text + "#fragment"),
        f"{scheme}://{authority}/..{path}",
    ]


@case(
    "LOC-04",
    sentence="A malformed location (no host, bad port, a second @, no path, NUL, control"
    " characters) MUST raise InvalidLocation, from every verb, without I/O.",
    why="Locations come from users and old databases. A guess reads somebody else's image.",
    mistakes="Taking what can be understood; ValueError from the parser; a request to find out.",
)
def malformed(context: Context) -> None:
    """Ask for locations that are none."""
    client = context.store
    wrong: list[object] = [*_malformed(_somewhere(context)), None, 7, b"bytes"]
    for text in wrong:
        for verb, call in _verbs(client).items():
            did = f"{verb}({text!a})"
            with context.untouched(client, did), context.expect_error(InvalidLocation, did=did):
                call(text)  # type: ignore[arg-type]  # wrong on purpose


@case(
    "LOC-05",
    sentence="A location of another driver's scheme MUST raise UnknownScheme or InvalidLocation,"
    " without I/O.",
    why="An image of another store is not this store's to read, or to delete.",
    mistakes="Looking at the path only.",
)
def foreign(context: Context) -> None:
    """Ask for locations of other drivers."""
    location = _somewhere(context)
    client = context.store
    behind = str(location).split("://", 1)[1]
    schemes = {"nosuch", "file", "http", "swift", location.scheme + "x", "x" + location.scheme}
    for scheme in sorted(schemes - set(client.driver.schemes)):
        for verb, call in _verbs(client).items():
            did = f"{verb} of a {scheme} location"
            with context.untouched(client, did), context.expect_error(InvalidLocation, did=did):
                call(f"{scheme}://{behind}")


@case(
    "LOC-06",
    needs=Capability.ADD,
    sentence="Percent, space, plus, #, ?, non-ASCII and IPv6 hosts MUST survive the round trip"
    " through a location.",
    why="An id is any text; a location must lead back to that very text.",
    mistakes="Decoding twice; plus as space; a # that cuts the rest off.",
)
def odd_characters(context: Context) -> None:
    """Add under ids with odd characters, and go through their locations."""
    for odd in ("%", "%41", "%2F", " ", "+", "#", "?", "&a=b", ";", "é中\U0001f600", "..", "~@:"):
        image_id = context.new_id(f"{odd}x")
        data = context.payload(97)
        text = str(context.store.add(image_id, data).location)
        context.check(text.isascii() and " " not in text, "a URI in ASCII", text, "add")
        context.same(context.store.store.image_id(text), image_id, f"the id in {text}")
        context.holds(text, data, context.other)
    host = Location.build("x", "[2001:db8::1]:8080", "a b")
    context.same(Location(str(host)).host_port, ("2001:db8::1", 8080), "an IPv6 host and its port")


@case(
    "LOC-07",
    sentence="Any text MUST either be a location or raise InvalidLocation, never anything else.",
    why="A parser meets every text there is.",
    mistakes="UnicodeError, IndexError, ValueError of urllib.",
)
def any_text(context: Context) -> None:
    """Parse random texts, and real locations with random changes."""
    client, chance = context.store, context.random
    real = str(_somewhere(context))
    alphabet = real + _ODD
    for _ in range(_ROUNDS):
        letters = list(real if chance.random() < 0.7 else "")  # noqa: PLR2004 - most of them near a real one
        for _ in range(chance.randint(1, 6)):
            at = chance.randint(0, len(letters))
            letters[at : at + chance.randint(0, 2)] = chance.choices(alphabet, k=2)
        text = "".join(letters)
        with suppress(InvalidLocation):
            owned = context.journal.run(f"owns({text!a})", client.store.owns, text)
            if owned:
                image_id = context.journal.run("image_id", client.store.image_id, text)
                context.check(isinstance(image_id, str), "an id", image_id, f"image_id({text!r})")


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.name}: {record.getMessage()} {record.exc_text or ''}")


@contextmanager
def _all_logs() -> Iterator[list[str]]:
    handler, root = _Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@case(
    "LOC-08",
    exclusive=True,
    sentence="A secret option, and a credential in an old location, MUST NOT appear in a location,"
    " an error, a log record, metadata or a repr.",
    why="These end up in databases, logs and tickets.",
    mistakes="The URL of the request in an error; the options in a repr; a debug line.",
)
def no_secrets(context: Context) -> None:
    """Do what is right and what fails, and look for the secrets in all of it."""
    canary = f"canary{context.random.randrange(1 << 40):x}"
    with _all_logs() as logged:
        client = context.client()
        secrets = [*context.secrets(client), canary]
        seen: list[object] = [client.store, client.driver, client.store.state]
        location = _somewhere(context)
        seen += [location, repr(location), *context.journal.calls]
        old = str(location).replace("://", f"://user:{canary}@", 1)
        with suppress(InvalidLocation):
            seen += [Location(old), repr(Location(old)), vars(Location(old)) and ""]
        for text in (old, str(location) + "-missing", old + "-missing", f"nosuch://u:{canary}@h/p"):
            for call in _verbs(client).values():
                try:
                    call(text)
                except StoreError as error:
                    seen += [*_texts_of(error)]
        if context.claims(Capability.ADD):
            stored = client.add(context.new_id(), b"secret")
            seen += [stored, stored.metadata]
        if context.harness.offers("endpoint"):
            seen += _cut_off(context, location)
    seen += logged
    for secret in filter(None, secrets):
        for thing in seen:
            shown = f"{thing} {thing!r}"
            if secret in shown:
                raise Violation("no secret", shown.replace(secret, "[THE SECRET]")[:300])


def _cut_off(context: Context, location: Location) -> list[object]:
    """Give the errors of a connection that is cut: libraries like to show the whole request."""
    wire = context.wire()
    behind = context.client_behind(wire, max_attempts=1)
    wire.cut_before = 0
    wire.cut()
    found: list[object] = []
    for call in _verbs(behind).values():
        try:
            call(wire.location(location))
        except StoreError as error:
            found += _texts_of(error)
    return found


def _texts_of(error: BaseException | None) -> list[object]:
    found: list[object] = []
    if isinstance(error, StoreError):
        found += [str(error), error, error.location, error.hint, error.message]
    return found


@case(
    "LOC-09",
    sentence="A location MUST be hashable, equal to another of the same text, immutable, and MUST"
    " survive pickle.",
    why="Callers keep locations in sets and dicts, and send them to workers.",
    mistakes="A mutable record; identity for equality.",
)
def a_value(context: Context) -> None:
    """Use a location as a value."""
    location = _somewhere(context)
    again = Location(str(location))
    context.check(location == again, "equal to another of the same text", "not equal")
    context.check(hash(location) == hash(again), "equal hashes", "different ones")
    context.check(location != Location(f"{location}x"), "not equal to another", "equal")
    context.check(location != str(location), "not equal to a text", "equal")
    context.same(len({location, again}), 1, "the size of a set of both")
    context.check(type(location) is Location, "a storekit.Location", type(location).__name__)
    context.same(pickle.loads(pickle.dumps(location)), location, "the location after pickle")  # noqa: S301
    for name in ("scheme", "authority", "anything"):
        try:
            setattr(location, name, "changed")
        except AttributeError:
            continue
        raise Violation("a location that cannot be changed", f"{name} was set")
    if not re.fullmatch(r"[\x21-\x7e]+", str(location)):
        raise Violation("a URI of printable ASCII", ascii(str(location)))
    with suppress(NotFound, NotApplicable):
        context.store.get_size(again)
