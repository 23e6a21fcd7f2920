"""Ranges: whether any part of an image can be read."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import RangeNotSatisfiable, StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.probing.bench import Bench, brief
from storekit.testing.probing.measured import Row, Verdict

__all__ = ["reads"]

_SHORTEST, _LONGEST = 997, (1 << 20) + 7
_CHOSEN = 20  # ranges, beside those at the edges
_NAMED = 10


def reads(bench: Bench) -> list[Row]:
    """Measure reads from an offset, of a length, and past the end.

    Args:
        bench: What to work with.
    """
    declared = bench.claims(Capability.GET_RANGE)
    store = bench.other if declared else bench.bold(bench.limits.max_id_length)
    longest = max(_SHORTEST, min(_LONGEST, bench.longest))
    data = bench.payload(min(2 * bench.limits.read_chunk + 7, longest))
    with bench.image(data) as location:
        bench.read(location)
        wrong = _wrong(bench, store, location, data)
    verdict = Verdict.of(declared=declared, measured=not wrong)
    return [
        Row(
            name="range reads",
            declared="yes" if declared else "no",
            measured="no" if wrong else f"{_CHOSEN + _NAMED} ranges",
            verdict=verdict,
            why=wrong if verdict is Verdict.LIE else "",
            numbers={"ranges": 0 if wrong else _CHOSEN + _NAMED},
        )
    ]


def _wrong(bench: Bench, store: Store, location: Location, data: bytes) -> str:
    size, chunk = len(data), min(bench.limits.read_chunk, len(data) - 1)
    ranges: list[tuple[int, int | None]] = [
        *((0, 1), (1, None), (1, 1), (size - 1, None), (size - 1, 1), (size, None)),
        *((chunk - 1, 3), (chunk, 1), (chunk // 2, chunk), (0, size)),
    ]
    for _ in range(_CHOSEN):
        offset = bench.random.randrange(size)
        ranges.append((offset, bench.random.randint(1, size)))
    for offset, length in ranges:
        what = f"offset {offset}, length {'none' if length is None else length} of {size} bytes"
        try:
            with store.get(location, offset, length) as reader:
                came = b"".join(reader)
        except StoreError as error:
            bench.blame(error)
            return f"{what}: {brief(error)}"
        end = size if length is None else offset + length
        if came != data[offset:end]:
            return f"{what}: other bytes come, {len(came)} of them"
    try:
        store.get(location, size + 1).close()
    except RangeNotSatisfiable:
        return ""
    except StoreError as error:
        return f"an offset past the end: {brief(error)}"
    return "an offset past the end is taken"
