"""Ids: how long they can be, and which characters are kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from storekit.capabilities import Capability
from storekit.errors import StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.probing.bench import Bench, brief
from storekit.testing.probing.measured import Row, Verdict

__all__ = ["CLASSES", "characters", "longest", "short"]

CLASSES: Mapping[str, Sequence[tuple[str, str]]] = {
    "upper and lower case": (("", "case"), ("", "CASE")),
    "NFC and NFD": (("", "\u00e9"), ("", "e\u0301")),
    "other scripts, emoji": (("", "\u4e2d\u6587"), ("", "\U0001f600")),
    "space": ((" ", ""), ("", " in "), ("", " ")),
    "percent": (("", "%41"), ("", "A"), ("", "%"), ("", "%2F")),
    "plus": (("", "a+b"), ("", "a b")),
    "? # & = ;": (("", "?a=b&c"), ("", "#?"), ("", ";=")),
    "quotes, backslash": (("", "'\""), ("", "\\"), ("", "<>|")),
    "[ ] { } * : @ $ ! ~": (("", "[]{}*"), ("", ":@$!~")),
    "leading dot": ((".", ""), ("..", "")),
    "trailing dot": (("", "."), ("", "..")),
    "leading hyphen": (("-", ""), ("--", "")),
}
"""What stands before and behind an id; within one class all must be images of their own."""

_MOST = 4096  # bytes: what is longer than declared is tried up to here
_WIDE = "\u4e2d"  # three bytes of UTF-8, nine characters once it is percent-encoded


def longest(bench: Bench) -> list[Row]:
    """Measure the longest id, in ASCII and in characters of three bytes.

    Args:
        bench: What to work with.
    """
    return [
        _longest(bench, "longest id", "x"),
        _longest(bench, "longest id of 3-byte characters", _WIDE),
    ]


def _longest(bench: Bench, name: str, filler: str) -> Row:
    declared = bench.limits.max_id_length
    tried: dict[int, str] = {}

    def works(length: int, store: Store) -> bool:
        tried[length] = _wrong_pair(bench, store, length, filler)
        return not tried[length]

    if works(declared, bench.store):
        bold = bench.bold(_MOST)
        found = declared
        if declared < _MOST and works(declared + 1, bold):
            most = works(_MOST, bold)
            found = _MOST if most else _bisect(declared + 1, _MOST, lambda n: works(n, bold))
        verdict = Verdict.OVER if found > declared else Verdict.OK
    else:
        short = len(bench.new_id())  # that of a plain image, which works
        found = _bisect(min(short, declared - 1), declared, lambda n: works(n, bench.store))
        verdict = Verdict.LIE
    why = f"{found + 1} bytes: {tried[found + 1]}" if found + 1 in tried else ""
    more = " or more" if found == _MOST else ""
    return Row(
        name=name,
        declared=f"{declared} bytes",
        measured=f"{found} bytes{more}",
        verdict=verdict,
        why=why if verdict is Verdict.LIE else "",
        numbers={"declared": declared, "measured": found},
    )


def _bisect(works: int, fails: int, attempt: Callable[[int], bool]) -> int:
    """Find the last length that works between one that does and one that does not."""
    while fails - works > 1:
        middle = (works + fails) // 2
        if attempt(middle):
            works = middle
        else:
            fails = middle
    return works


def _wrong_pair(bench: Bench, store: Store, length: int, filler: str) -> str:
    """Try two ids of a length that differ in the last byte only; say what is wrong, if anything."""
    begin = bench.new_id(length, filler)
    if not begin.isascii() and not begin.endswith("x"):
        begin = bench.new_id(length - 1, filler) + "x"
    ids = [begin[:-1] + end for end in "yz"]
    if length > bench.limits.max_id_length and not all(bench.owned(store, name) for name in ids):
        return "the driver would not know its own location"
    data = {image_id: bench.payload(97) for image_id in ids}
    wrong, places = _stored(bench, store, data)
    for place in places.values():
        bench.drop(store, place)
    return wrong


def characters(bench: Bench) -> list[Row]:
    """Measure which characters an id can have: stored, kept apart, read back, and listed.

    Args:
        bench: What to work with.
    """
    wrong: dict[str, str] = {}
    ids: dict[str, set[str]] = {}
    places: list[Location] = []
    for name, ends in CLASSES.items():
        base = bench.new_id()
        data = {f"{before}{base}{behind}": bench.payload(97) for before, behind in ends}
        ids[name] = set(data)
        if max(len(image_id.encode()) for image_id in data) > bench.limits.max_id_length:
            continue
        wrong[name], found = _stored(bench, bench.store, data)
        places += found.values()
    if bench.claims(Capability.LIST):
        _listed(bench, wrong, ids)
    for place in places:
        bench.drop(bench.store, place)
    return [_row(name, wrong.get(name)) for name in CLASSES]


def _row(name: str, wrong: str | None) -> Row:
    name = f"id: {name}"
    if wrong is None:
        why = "such an id is longer than the store takes"
        return Row(name=name, verdict=Verdict.NOT_MEASURED, why=why)
    return Row(
        name=name,
        declared="kept apart",
        measured="no" if wrong else "kept apart",
        verdict=Verdict.LIE if wrong else Verdict.OK,
        why=wrong,
    )


def _listed(bench: Bench, wrong: dict[str, str], ids: Mapping[str, set[str]]) -> None:
    """Find the ids that a listing does not give back."""
    hoped = {image_id for name, text in wrong.items() if not text for image_id in ids[name]}
    seen: set[str] = set()

    def whole() -> bool:
        nonlocal seen
        seen = {listing.image_id for listing in bench.other.list()}
        return hoped <= seen

    bench.until(whole)
    for name, text in wrong.items():
        if not text and (missing := ids[name] - seen):
            wrong[name] = f"not in the listing: {', '.join(map(repr, sorted(missing)))}"


def _stored(
    bench: Bench, store: Store, data: Mapping[str, bytes]
) -> tuple[str, dict[str, Location]]:
    """Store images, then read each back; say what is wrong, if anything, and where they are."""
    places: dict[str, Location] = {}
    at = ""
    try:
        for at, content in data.items():
            places[at] = bench.keeper.add(store, at, content)
        for at, place in places.items():
            if bench.read(place) != data[at]:
                return f"{short(at)} comes back with other bytes", places
    except StoreError as error:
        bench.blame(error)
        return f"{short(at)}: {brief(error)}", places
    return "", places


def short(image_id: str) -> str:
    """Show an id on part of a line.

    Args:
        image_id: The id.
    """
    text = ascii(image_id)
    return text if len(text) <= 60 else f"{text[:30]}...{text[-20:]}"  # noqa: PLR2004 - a cell
