"""Children: something done in a forked process, and what it tells."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Self, TypeVar

from storekit.testing.case import Violation

__all__ = ["Child", "Line", "in_child"]

T = TypeVar("T")


class Line:
    """One end of the line between a parent and its child.

    Args:
        connection: The end.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def say(self, word: object) -> None:
        """Send something to the other end.

        Args:
            word: What; it must pickle.
        """
        self.connection.send(word)

    def hear(self, seconds: float) -> Any:  # noqa: ANN401 - whatever the other end says
        """Wait for what the other end says.

        Args:
            seconds: How long at most.

        Raises:
            Violation: It says nothing, or is gone.
        """
        with suppress(EOFError, ConnectionError):
            if self.connection.poll(seconds):
                return self.connection.recv()
        raise Violation("an answer of a child process", f"none within {seconds:.1f} s")


class Child(Line):
    """A forked child that does something. A context manager: the child is dead after it.

    Only for cases that run alone: a fork copies the calling thread, and the locks of all others.

    Args:
        function: What to do; given the child's end of the line. What it returns must pickle.
    """

    def __init__(self, function: Callable[[Line], object]) -> None:
        ours, theirs = Pipe()
        super().__init__(ours)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the kit's own threads are idle
            self.pid = os.fork()
            """Its process."""
        if self.pid == 0:
            ours.close()
            _be_child(function, theirs)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def answer(self, seconds: float) -> Any:  # noqa: ANN401 - whatever the function returned
        """Wait for the end of what it does.

        Args:
            seconds: How long at most.

        Returns:
            What the function returned.

        Raises:
            Violation: It raised, died, or did not end in time.
        """
        ok, value = self.hear(seconds)
        if not ok:
            raise Violation("a child process that works", value)
        return value


def in_child(function: Callable[[], T], seconds: float) -> T:
    """Run a function in a forked child, and wait for what it returns.

    Args:
        function: What to run. What it returns must pickle.
        seconds: How long to wait; then the child is killed.

    Returns:
        What it returned.

    Raises:
        Violation: It raised, died, or did not end in time.
    """
    with Child(lambda _: function()) as child:
        value: T = child.answer(seconds)
        return value


def _be_child(function: Callable[[Line], object], connection: Connection) -> None:
    try:
        try:
            answer = True, function(Line(connection))
        except BaseException:  # noqa: BLE001 - told to the parent
            answer = False, traceback.format_exc()
        connection.send(answer)
    finally:
        os._exit(0)
