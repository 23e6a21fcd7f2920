"""STA: sequences of calls, chosen by a machine, against a model of what is there."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.testing.case import Level, NotRun, case
from storekit.testing.context import Context
from storekit.testing.doubtful import Doubtful
from storekit.testing.plays import Catalogue, Play

_NEEDS = Capability.ADD | Capability.GET | Capability.DELETE


def _played(play: Play) -> None:
    try:
        from storekit.testing import machines  # noqa: PLC0415 - only who runs these cases needs it
    except ImportError as error:
        if not (error.name or "").startswith("hypothesis"):
            raise
        raise NotRun("hypothesis is missing: pip install 'storekit[testing]'") from None
    machines.played(play)


@case(
    "STA-01",
    level=Level.HARD,
    needs=_NEEDS,
    exclusive=True,
    budget=5.0,
    sentence="Whatever sequence of add, get, get of a range, get_size and delete one client makes,"
    " each call MUST answer as a dict of the images would.",
    why="Each verb can be right by itself, and wrong after another one.",
    mistakes="Something kept of one call and used by a later one: a size, a handle, an error.",
)
def one_client(context: Context) -> None:
    """Make sequences of calls with one client."""
    _played(Catalogue(context, 1, context.budget(2)))


@case(
    "STA-02",
    level=Level.HARD,
    needs=_NEEDS,
    exclusive=True,
    budget=5.0,
    sentence="Whatever two clients do in turns, opened anew at any time, each call MUST answer as"
    " one dict of the images for both would.",
    why="A service has many workers; each must see what the others did, and nothing that it"
    " remembers may be out of date.",
    mistakes="Names, sizes or handles kept in a client, and dropped only by its own deletes.",
)
def two_clients(context: Context) -> None:
    """Make sequences of calls with two clients."""
    _played(Catalogue(context, 2, context.budget(2)))


@case(
    "STA-03",
    level=Level.HARD,
    needs=_NEEDS,
    hooks=("endpoint",),
    exclusive=True,
    budget=5.0,
    sentence="Whatever calls a client makes while its connection breaks now and then, each answer,"
    " its own and another client's, MUST be one that some outcome of the broken calls explains.",
    why="After a fault the image service looks again; what it sees then must not depend on luck.",
    mistakes="A clean-up after a failed add that removes an image which was there before; a retry"
    " that meets itself; a part of an image under its name.",
)
def broken_connections(context: Context) -> None:
    """Make sequences of calls with one client whose connection breaks, and one that works."""
    play = Doubtful(context, context.budget(2))
    try:
        _played(play)
        play.see()
    finally:
        play.close()
