"""A run of the kit in a process of its own.

Whatever a driver does to its process (end it, crash it, print on its standard output), the command
answers. The kit's process has standard error in the place of standard output.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TYPE_CHECKING

from storekit.cli.signals import SIGNALS, Stopped, postponed, stop_on_signals
from storekit.errors import ConfigurationError

if TYPE_CHECKING:
    from storekit.testing.case import Case
    from storekit.testing.harness import Harness
    from storekit.testing.result import Result

__all__ = ["Answer", "NoReport", "Order", "chosen_harness", "run_apart", "work"]

Tell = Callable[[str, object], None]

_TICK = 0.1  # seconds between two looks whether the process is still there
_TO_END = 10.0  # seconds that an interpreter may take to end
_STDERR = 2


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to run, and what is wanted of it."""

    store: str | None
    """The store, if it is no harness."""
    harness: str | None
    """The harness, ``module:Class``."""
    config: Path | None
    """The configuration file; None is the usual one."""
    level: str
    """How far."""
    select: str | None
    """Beginnings of ids, or all."""
    seed: int | None
    """The seed, or a new one."""
    waive: Path | None
    """The file of signed failures."""
    formats: tuple[str, ...]
    """The formats of the files to write."""
    json: bool
    """Whether the document is shown in place of the text."""
    colour: bool
    """Whether the text has colours."""
    width: int
    """Columns of the terminal."""
    debug: bool
    """Whether a traceback is wanted of what fails."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it."""

    exit_code: int
    """That of the command."""
    shown: str
    """What goes to standard output."""
    files: Mapping[str, str]
    """The other reports, by format."""


class NoReport(Exception):
    """The kit or its environment failed, and nothing was judged.

    Args:
        message: What happened.
        detail: Stacks or a traceback.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message, detail)
        self.detail = detail

    def __str__(self) -> str:
        return str(self.args[0])


def run_apart(order: Order) -> Answer:
    """Run the kit in a process of its own, and wait for its end.

    Args:
        order: What to run.

    Raises:
        ConfigurationError: What was ordered cannot be run.
        NoReport: The store could not be opened, or the process ended before its report.
    """
    ours, theirs = Pipe()
    # The path first: the kit itself may be found by it alone.
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from storekit.cli.apart import work;"
        f" work({theirs.fileno()})"
    )
    with ours:
        with theirs, postponed():  # a signal must not meet the new process before it can take one
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-c", code], pass_fds=[theirs.fileno()], stdout=_STDERR
            )
        try:
            ours.send(order)
            return _followed(ours, process)
        except Stopped as stopped:
            process.send_signal(stopped.number)
            process.wait()
            raise
        finally:
            # One that has answered, and does not end, has nothing more to say.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TO_END)
            process.kill()
            process.wait()


def _followed(line: Connection, process: subprocess.Popen[bytes]) -> Answer:
    """Follow what the process tells, until its answer."""
    running: dict[str, None] = {}
    while True:
        try:
            # Processes that a case has left behind may hold the line open.
            if not line.poll(_TICK):
                if process.poll() is None or line.poll():
                    continue
                raise EOFError
            word, value = line.recv()
        except (EOFError, ConnectionError):
            raise NoReport(_ended(process.wait(), list(running))) from None
        match word:
            case "start":
                running[value] = None
            case "end":
                running.pop(value, None)
            case "wrong" | "failed":
                raise value
            case _:
                answer: Answer = value
                return answer


def _ended(code: int, running: list[str]) -> str:
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    where = f"in {' or '.join(running)}" if running else "outside of a case"
    return f"the process of the run ended {how} {where}, before there was a report"


def work(descriptor: int) -> None:
    """Be the process: take the order, run the kit, and answer.

    Args:
        descriptor: Of the line to the command.
    """
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
    line = Connection(descriptor)
    lock = threading.Lock()

    def tell(word: str, value: object) -> None:
        with lock:
            line.send((word, value))

    try:
        stop_on_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        order = line.recv()
        threading.Thread(target=_mind, args=(line,), name="command", daemon=True).start()
        try:
            tell("answer", _answered(order, tell))
        except ConfigurationError as error:
            tell("wrong", error)
        except Exception as error:  # noqa: BLE001 - whatever a harness raises
            tell("failed", _failed(error, debug=order.debug))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


def _mind(line: Connection) -> None:
    """End the run as a signal does, if the command is gone."""
    with suppress(EOFError, OSError):
        line.recv()
    os.kill(os.getpid(), signal.SIGTERM)


def chosen_harness(store: str | None, harness: str | None, config: Path | None) -> type[Harness]:
    """Give the harness that the user named, or one of the configured store.

    Args:
        store: The name of a store.
        harness: ``module:Class``.
        config: The configuration; None is the usual one.

    Raises:
        ConfigurationError: There is no such store, or harness.
    """
    from storekit.testing.settings import harness_named, harness_of_store  # noqa: PLC0415 - only for the kit

    if harness is not None:
        sys.path.insert(0, "")  # a command looks where it stands, as python -m does
        return harness_named(harness)
    return harness_of_store(store, config)


def _answered(order: Order, tell: Tell) -> Answer:
    from storekit.testing import reports, runner, waivers  # noqa: PLC0415 - only for the kit

    kind = chosen_harness(order.store, order.harness, order.config)
    known = {item.id for item in runner.cases_for(kind)}

    def started(item: Case) -> None:
        tell("start", item.id)

    def ended(result: Result) -> None:
        tell("end", result.case.id)

    report = runner.run(
        kind,
        level=order.level,
        select=order.select,
        seed=order.seed,
        waivers=waivers.read_waivers(order.waive, known) if order.waive else {},
        on_start=started,
        on_result=ended,
    )
    if order.json:
        shown = reports.as_json(report)
    else:
        shown = reports.as_text(report, colour=order.colour, width=order.width)
    return Answer(
        exit_code=report.exit_code,
        shown=shown.rstrip(),
        files={name: reports.WRITERS[name](report) for name in order.formats},
    )


def _failed(error: Exception, *, debug: bool) -> NoReport:
    from storekit.testing.watchdog import Hung  # noqa: PLC0415 - only for the kit

    trace = traceback.format_exc() if debug else ""
    if isinstance(error, Hung):
        said, trace = str(error), error.stacks
    else:
        # What it is, and of what: setup or make_store. A key or a host alone says nothing.
        said = "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        said += "" if debug else "; --debug shows the traceback"
    return NoReport(f"no store to hold to the contract: {said}", trace)
