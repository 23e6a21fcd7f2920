"""Session: one harness set up, and the cases run on it one by one."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Self

from storekit.capabilities import Capability
from storekit.errors import InvalidLocation, NotFound, StoreClosed
from storekit.store import Store
from storekit.testing.case import Case, NotApplicable, NotRun
from storekit.testing.context import Context
from storekit.testing.exits import allow_exits, forbid_exits
from storekit.testing.harness import Harness
from storekit.testing.refusal import refuse
from storekit.testing.result import Outcome, Result
from storekit.testing.verdicts import (
    ENDING,
    broken,
    failed,
    hanging,
    names,
    said,
    together,
    verdict_on,
)
from storekit.testing.waivers import Waiver, apply_waivers, overdue
from storekit.testing.watchdog import Hung, Worker, watched

__all__ = ["HarnessFailed", "Session"]

_TRUSTED = Capability.LIST | Capability.DELETE | Capability.STRONG_CONSISTENCY
_RED = frozenset({Outcome.FAIL, Outcome.ERROR})
_log = logging.getLogger("storekit")
_once: dict[str, Result] = {}  # of cases about the framework: the same for every harness


class HarnessFailed(Exception):
    """A harness raised what is no ``Exception``: a SystemExit would end the run unseen."""


class Session:
    """A context manager: sets the harness up, runs cases, and tears it down.

    Args:
        harness: The harness, or its class.
        seed: A number; the same one makes the same choices. None: a new one.
        waivers: Signed failures by case id.
        chosen: Ids of the cases that are to run; a waiver of another one is looked at by ``end``.
    """

    def __init__(
        self,
        harness: Harness | type[Harness],
        *,
        seed: int | None = None,
        waivers: Mapping[str, Waiver] | None = None,
        chosen: Container[str] = (),
    ) -> None:
        self.harness = harness() if isinstance(harness, type) else harness
        self.seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        self.escapes: list[str] = []
        """What came out of the stores of all cases, and should not have."""
        self.left: tuple[str, ...] = ()
        """After ``end``: ids of images of this run that are still there."""
        self._token = secrets.token_hex(3)
        self._waivers = waivers or {}
        self._overdue = overdue(self._waivers, chosen)
        self._red: set[str] = set()
        self._is_set_up = self._is_torn_down = False

    def __enter__(self) -> Self:
        type(self.harness).check()
        self.harness.check_absent()
        # Cases provoke warnings; without a handler they would go to standard error.
        self._quiet = logging.NullHandler()
        _log.addHandler(self._quiet)
        self._keeper = Worker("harness")
        forbid_exits()
        try:
            self._raise("setup", self._keeper.run, self._set_up)
            self.harness.check_absent()
            self._raise("make_store", watched, self._look)
        except BaseException as error:
            try:
                self._tear_down(hopeless=isinstance(error, Hung) and not self._is_set_up)
            except Exception as again:  # noqa: BLE001 - the first one is the reason
                error.add_note(f"and then: {said(again)}")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._tear_down()

    @property
    def declared(self) -> tuple[str, ...]:
        """The names of the capabilities that the store has."""
        return tuple(flag.name or "" for flag in self.capabilities)

    @property
    def limits_shown(self) -> dict[str, float]:
        """The limits of the store by name."""
        return {**asdict(self.limits), "op_budget": self.limits.op_budget}

    def run(self, case: Case) -> Result:
        """Run one case. Thread-safe, but see ``Case.alone``.

        Args:
            case: The case.

        Returns:
            Its result, the waivers applied.
        """
        kind = type(self.harness)
        framework = kind.stores is Harness.stores and kind.installed is Harness.installed
        shared = case.once and framework
        if not shared or case.id not in _once:
            result = self._judged(case)
            if result.outcome in _RED:
                self._red.add(case.id)
            if not shared:
                return apply_waivers(result, self._waivers)
            _once[case.id] = result
        return apply_waivers(_once[case.id], self._waivers)

    def end(self) -> Result:
        """Tear the harness down, and judge what is left of the run.

        Returns:
            The result of ``ENDING``.
        """
        seconds = ENDING.budget * self.limits.op_budget
        found = []

        def look() -> None:
            self.left = self._images("")

        try:
            if error := watched(look, seconds, "listing what is left"):
                found.append(failed(ENDING, "the images of the run are listed", said(error)))
        except Hung as hung:
            found.append(hanging(ENDING, hung))
        known = tuple(self._prefix(case_id) for case_id in self._red)
        if late := [name for name in self.left if not name.startswith(known)]:
            found.append(failed(ENDING, "no image left behind", ", ".join(late)))
        if self._overdue:
            found.append(failed(ENDING, "no waiver that is over", "; ".join(self._overdue)))
        try:
            self._tear_down()
        except Hung as hung:
            found.append(replace(hanging(ENDING, hung), outcome=Outcome.ERROR))
        except Exception as error:  # noqa: BLE001 - the results are worth more
            found.append(broken(ENDING, error, "teardown: "))
        return together(found)

    def _raise(
        self,
        what: str,
        run: Callable[[Callable[[], None], float, str], BaseException | None],
        function: Callable[[], None],
    ) -> None:
        """Do something of the harness within its patience, and raise what it raises.

        Raises:
            Hung: It does not end.
            HarnessFailed: It raised what is no ``Exception``.
        """
        name = f"{what} of {type(self.harness).__name__}"
        error = run(function, self.harness.patience, name)
        if isinstance(error, Exception):
            error.add_note(f"raised by {name}")
            raise error
        if error is not None:
            raise HarnessFailed(f"{name} raised {error!r}") from error

    def _set_up(self) -> None:
        self.harness.setup()
        self._is_set_up = True

    def _look(self) -> None:
        with self.harness.make_store() as store:
            self.capabilities = store.capabilities
            self.limits = store.limits
            self.store_name = store.name
            self.driver_name = store.driver

    def _tear_down(self, *, hopeless: bool = False) -> None:
        """Tear down what is set up, once; what a signal interrupted is waited for.

        Args:
            hopeless: Whether the setup hangs, so that waiting again would be in vain.
        """

        def tear_down() -> None:
            if self._is_set_up:
                self.harness.teardown()

        if self._is_torn_down:
            return
        self._is_torn_down = True
        try:
            if not hopeless:
                self._raise("teardown", self._keeper.run, tear_down)
        finally:
            self._keeper.end()
            allow_exits()
            _log.removeHandler(self._quiet)

    def _prefix(self, case_id: str) -> str:
        return f"{case_id.lower()}-{self._token}-"

    def _images(self, case_id: str) -> tuple[str, ...]:
        """Name the images of a case, or of all, that are there, if a listing can be trusted."""
        if _TRUSTED & ~self.capabilities:
            return ()
        wanted = self._prefix(case_id) if case_id else f"-{self._token}-"
        with self.harness.make_store() as store:
            return tuple(sorted(i.image_id for i in store.list() if wanted in i.image_id))

    def _judged(self, case: Case) -> Result:
        begin = time.perf_counter()
        if (verdict := self._excused(case)) is not None:
            return verdict
        context = Context(
            case, self.harness, seed=self.seed, token=self._token, escapes=self.escapes
        )
        result = self._ran(case, context)
        context.journal.forsake()
        cleaned = self._cleaned(case, context)
        journal = context.journal
        self.escapes += [f"{case.id}: {escape}" for escape in journal.escapes]
        if result.outcome not in _RED:
            if journal.escapes:
                result = failed(
                    case, "only storekit's own errors leave a verb (ERR-01)", journal.escapes[0]
                )
            elif cleaned is not None:
                result = cleaned
        kept = () if result.outcome is Outcome.PASS else result.calls or journal.shown()
        seconds = time.perf_counter() - begin
        return replace(result, calls=kept, notes=context.notes, seconds=seconds)

    def _excused(self, case: Case) -> Result | None:
        """Say why a case does not run, if it does not."""
        try:
            for hook in case.hooks:
                self.harness.require(hook)
        except NotApplicable as verdict:
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=str(verdict))
        except NotRun as verdict:
            return Result(case=case, outcome=Outcome.NOT_RUN, reason=str(verdict))
        if missing := case.promises & ~self.capabilities:
            reason = f"the store does not promise {names(missing)}"
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=reason)
        return None

    def _ran(self, case: Case, context: Context) -> Result:
        unclaimed = case.gates & ~self.capabilities

        def act() -> None:
            if not unclaimed:
                case.function(context)
            elif case.refused is not None:
                case.refused(context)
            else:
                refuse(context, next(iter(unclaimed)))

        try:
            error = watched(act, self._seconds(case), f"case {case.id}")
        except Hung as hung:
            return hanging(case, hung, context)
        if error is None:
            outcome = Outcome.REFUSED if unclaimed else Outcome.PASS
            reason = f"{names(unclaimed)} is not claimed, and refused" if unclaimed else ""
            return Result(case=case, outcome=outcome, reason=reason)
        return verdict_on(case, context, error)

    def _cleaned(self, case: Case, context: Context) -> Result | None:
        """Clean up after a case, and see that nothing is left of it.

        Returns:
            What went wrong, or None.
        """
        stuck: list[str] = []
        left: list[str] = []

        def clean() -> None:
            _reap(context, stuck)
            if not (case.alone or context.journal.stored()):
                return  # one that is alone may have stored in a child
            # One that cannot list fails the cases about that, and once the end of the run.
            with context.journal.begun("the kit looks: list()"), suppress(Exception):
                left.extend(self._images(case.id))

        try:
            error = watched(clean, self._seconds(case), f"cleaning up after {case.id}")
        except Hung as hung:
            return hanging(case, hung, context)
        if error is not None:
            stuck.append(f"cleaning up: {said(error)}")
        if stuck:
            return failed(case, "what the case stored can be deleted", "; ".join(stuck))
        return failed(case, "no image left behind", ", ".join(left)) if left else None

    def _seconds(self, case: Case) -> float:
        return case.budget * self.limits.op_budget


def _reap(context: Context, stuck: list[str]) -> None:
    """Delete what the case has stored, and close its clients.

    Args:
        context: Of the case.
        stuck: Gets what could not be deleted, and why.
    """
    for location, client in tuple(context.journal.live.items()):
        if not client.capabilities & Capability.DELETE:
            continue
        try:
            with context.journal.begun(f"the kit cleans up: delete({location})"):
                _delete(context, client.store, location)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is in the report
            stuck.append(f"{location}: {said(error)}")
    with context.journal.begun("the kit cleans up: close()"):
        context.exit.close()


def _delete(context: Context, store: Store, location: str) -> None:
    try:
        store.delete(location)
    except NotFound:
        return
    except (StoreClosed, InvalidLocation):  # the latter of a client that a relay stood before
        with context.harness.make_store() as fresh, suppress(NotFound):
            fresh.delete(location)
