"""Doubtful: a play in which connections break, so that several things may be so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from storekit.capabilities import Capability
from storekit.errors import StoreError
from storekit.location import Location
from storekit.testing.case import Violation
from storekit.testing.context import Context
from storekit.testing.history import Ending, Move, named_place
from storekit.testing.linear import Rules, contradiction
from storekit.testing.plays import IMAGES, Choice, Play, image_name
from storekit.testing.trials import met, tidied
from storekit.testing.wire import Reset

__all__ = ["FAULTS", "Doubtful"]

FAULTS = ("lost", "answer", "request", "cut", "refused")
"""What can happen to a connection."""

_BROKEN = 2  # clients; the first of them tries once, the second twice


class Doubtful(Play):
    """Clients whose connections break, and one that works, against every state that can be.

    What an add or a delete of unknown outcome does may come at any later time, or never. So what
    can be there is found as in a recorded history: an order must explain all answers.

    A fault is a kind, a number, and how often. ``lost``: the connection breaks as the answer of
    that number begins to come back, counted in the call from 1; where answers are short, nothing
    else is sure to meet the one that tells of a commit. ``answer`` and ``request``: it breaks after
    so many bytes of them. ``cut``: it is broken before. ``refused``: a new one cannot be made
    either.

    Args:
        context: The context of the case.
        seconds: How long it may be used.
    """

    def __init__(self, context: Context, seconds: float) -> None:
        self._wire = context.wire()
        broken = [context.client_behind(self._wire, max_attempts=count) for count in (1, 2)]
        super().__init__(context, [*broken, context.store], seconds)
        self._rules = Rules.of(context.capabilities)
        self._images: list[tuple[str, Location]] = []
        self._doubted: list[Location] = []
        self._met = 0

    def begin(self) -> None:
        """Begin with images whose locations are known."""
        super().begin()
        self._images = [named_place(self.context, again=self.begun == 1) for _ in range(IMAGES)]

    def end(self) -> None:
        """Remove what is there, and remember where something may still appear."""
        for name, place in self._images:
            if any(move.end is None for move in self.history.of(name)):
                self._doubted.append(place)
            with suppress(StoreError):
                self.context.store.delete(place)

    def close(self) -> None:
        """Remove what has appeared since, and what a broken client could not remove."""
        for place in self._doubted:
            with suppress(StoreError):
                self.context.store.delete(place)
        for client in self.clients[:_BROKEN]:
            tidied(self.context, client)

    def see(self) -> None:
        """See that there were faults.

        Raises:
            NotRun: No connection was broken.
        """
        self.context.notes["faults"] = self._met
        met(self._met, "a connection that breaks")

    def call(self, choice: Choice) -> None:
        """Make a call; with its fault, if the client goes through the relay."""
        self.step(choice)
        verb = "get" if choice.verb == "get_range" else choice.verb
        name, place = self._images[choice.image]
        before, lane = self.history.of(name), f"client {choice.who + 1}"
        act, value = self._act(verb, choice, name, place)
        text = f"{lane}: {verb} {image_name(choice.image)}"
        text += f" = {value}, {self.history.sizes[value]} bytes" if value else ""
        with self._broken(choice) as fault:
            try:
                sent = not fault.endswith(FAULTS[-1])
                move = self.history.record(lane, verb, name, act, value, sent=sent)
            except Exception as error:
                told = _refusal(self.context, error)
                self.note(f"{text}{fault} -> {told}")
                raise self.fail("an answer that tells what became of the call", told) from error
        told = move.value if move.reads and move.ending is Ending.DONE else move.ending.value
        self.note(f"{text}{fault} -> {told}")
        if contradiction([*before, move], self._rules):
            possible = [
                told
                for told, other in self._answers(move)
                if not contradiction([*before, other], self._rules)
            ]
            raise self.fail(" or ".join(possible), told)

    def _act(
        self, verb: str, choice: Choice, name: str, place: Location
    ) -> tuple[Callable[[], str], str]:
        client = self.clients[choice.who]
        known = choice.known or not self.context.claims(Capability.ADD_UNKNOWN_SIZE)
        data = self.data(choice.size) if verb == "add" else b""
        where = self._wire.location(place) if choice.who < _BROKEN else str(place)

        def add() -> str:
            client.add(name, data if known else iter([data]))
            return ""

        def delete() -> str:
            client.delete(where)
            return ""

        acts = {
            "add": add,
            "get": lambda: self.history.seen(self.context.read(where, client)),
            "get_size": lambda: self.history.sized(client.get_size(where)),
            "delete": delete,
        }
        return acts[verb], self.history.value(data) if data else ""

    def _answers(self, move: Move) -> Iterator[tuple[str, Move]]:
        """Give all that could be told in place of what was."""
        other = replace(move, end=move.end or move.begin + 1)
        if not move.reads:
            no = Ending.DUPLICATE if move.verb == "add" else Ending.NOT_FOUND
            for ending in (Ending.DONE, no):
                yield ending.value, replace(other, ending=ending)
            return
        yield Ending.NOT_FOUND.value, replace(other, ending=Ending.NOT_FOUND, value="")
        for name in self.history.sizes:
            yield name, replace(other, ending=Ending.DONE, value=name)

    @contextmanager
    def _broken(self, choice: Choice) -> Iterator[str]:
        """Let the fault happen, if the client is one of those; gives it in words."""
        if choice.who >= _BROKEN or choice.fault is None:
            yield ""
            return
        kind, after, times = choice.fault
        how = "" if times == 1 else ", twice"
        if kind == "lost":
            self._wire.lose(after, times=times)
            try:
                yield f", answer {after} lost" + ("" if times == 1 else ", and the next one")
            finally:
                self._met += self._wire.lost
                self._wire.lose(1, times=0)
            return
        gates = {"answer": self._wire.answers, "request": self._wire.asked}
        if gate := gates.get(kind):
            gate.arm(Reset(after), times=times)
            try:
                yield f", cut after {after} bytes of the {kind}{how}"
            finally:
                self._met += gate.fired
                gate.arm(None)
            return
        self._met += 1
        if kind == "cut":
            self._wire.cut()
            yield ", cut before"
            return
        self._wire.refuse()
        try:
            yield ", cut before and then refused"
        finally:
            self._wire.heal()


def _refusal(context: Context, error: Exception) -> str:
    """Tell what a call raised; raises what came from no store."""
    if isinstance(error, Violation):
        return error.actual
    if not context.journal.came_from_a_store(error):
        raise error
    return f"{type(error).__name__}: {error}"
