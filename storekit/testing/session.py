"""Session: one harness set up, and the cases run on it one by one."""

from __future__ import annotations

import logging
import random
import secrets
import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from typing import Self

from storekit.capabilities import Capability
from storekit.errors import InvalidLocation, NotFound, StoreClosed
from storekit.store import Store
from storekit.testing.case import Case, NotApplicable, NotRun, Over, Violation
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.refusal import refuse
from storekit.testing.result import Outcome, Result
from storekit.testing.waivers import Waiver, apply_waivers
from storekit.testing.watchdog import Hung, watched

__all__ = ["Session"]

_TRUSTED = Capability.LIST | Capability.DELETE | Capability.STRONG_CONSISTENCY
_log = logging.getLogger("storekit")
_once: dict[str, Result] = {}  # of cases about the framework: the same for every harness


class Session:
    """A context manager: sets the harness up, runs cases, and tears it down.

    Args:
        harness: The harness, or its class.
        seed: A number; the same one makes the same choices. None: a new one.
        waivers: Signed failures by case id.
    """

    def __init__(
        self,
        harness: Harness | type[Harness],
        *,
        seed: int | None = None,
        waivers: Mapping[str, Waiver] | None = None,
    ) -> None:
        self.harness = harness() if isinstance(harness, type) else harness
        self.seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        self.escapes: list[str] = []
        """What came out of the stores of all cases, and should not have."""
        self._token = secrets.token_hex(3)
        self._waivers = waivers or {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Cases provoke warnings; without a handler they would go to standard error.
            quiet = logging.NullHandler()
            _log.addHandler(quiet)
            stack.callback(_log.removeHandler, quiet)
            self.harness.setup()
            stack.callback(self.harness.teardown)
            with self.harness.make_store() as store:
                self.capabilities = store.capabilities
                self.limits = store.limits
                self.store_name = store.name
                self.driver_name = store.driver
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    @property
    def declared(self) -> tuple[str, ...]:
        """The names of the capabilities that the store has."""
        return tuple(flag.name or "" for flag in self.capabilities)

    @property
    def limits_shown(self) -> dict[str, float]:
        """The limits of the store by name."""
        return {**asdict(self.limits), "op_budget": self.limits.op_budget}

    def left(self) -> tuple[str, ...]:
        """Name the images of this run that are still there, where a listing can be trusted."""
        if _TRUSTED & ~self.capabilities:
            return ()
        with self.harness.make_store() as store:
            return tuple(sorted(i.image_id for i in store.list() if self._token in i.image_id))

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
            if not shared:
                return apply_waivers(result, self._waivers)
            _once[case.id] = result
        return apply_waivers(_once[case.id], self._waivers)

    def _judged(self, case: Case) -> Result:
        begin = time.perf_counter()
        context = Context(
            case, self.harness, seed=self.seed, token=self._token, escapes=self.escapes
        )
        result = self._ran(case, context)
        journal = context.journal
        try:
            stuck = _reap(context) if result.outcome is not Outcome.NOT_RUN else []
        except Exception as error:  # noqa: BLE001 - a failure to clean up is one of the result
            stuck = [f"closing: {type(error).__name__}: {error}"]
        self.escapes += [f"{case.id}: {escape}" for escape in journal.escapes]
        if result.outcome in {Outcome.PASS, Outcome.REFUSED, Outcome.OVER}:
            if journal.escapes:
                result = _failed(
                    case, "only storekit's own errors leave a verb (ERR-01)", journal.escapes[0]
                )
            elif stuck:
                result = _failed(case, "what the case stored can be deleted", "; ".join(stuck))
        kept = () if result.outcome is Outcome.PASS else tuple(journal.calls)
        seconds = time.perf_counter() - begin
        return replace(result, calls=kept, notes=context.notes, seconds=seconds)

    def _ran(self, case: Case, context: Context) -> Result:
        try:
            for hook in case.hooks:
                self.harness.require(hook)
        except NotApplicable as verdict:
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=str(verdict))
        except NotRun as verdict:
            return Result(case=case, outcome=Outcome.NOT_RUN, reason=str(verdict))
        if missing := case.promises & ~self.capabilities:
            reason = f"the store does not promise {_names(missing)}"
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=reason)
        unclaimed = case.gates & ~self.capabilities

        def act() -> None:
            if not unclaimed:
                case.function(context)
            elif case.refused is not None:
                case.refused(context)
            else:
                refuse(context, next(iter(unclaimed)))

        seconds = case.budget * self.limits.op_budget
        try:
            error = watched(act, seconds, f"case {case.id}")
        except Hung as hung:
            expected = f"an end within {seconds:.1f} s, {case.budget:g} times limits.op_budget"
            failed = _failed(case, expected, "it hangs")
            return replace(failed, trace=hung.stacks)
        if error is None:
            outcome = Outcome.REFUSED if unclaimed else Outcome.PASS
            reason = f"{_names(unclaimed)} is not claimed, and refused" if unclaimed else ""
            return Result(case=case, outcome=outcome, reason=reason)
        return _verdict(case, context, error)


def _verdict(case: Case, context: Context, error: BaseException) -> Result:
    match error:
        case Violation():
            result = _failed(case, error.expected, error.actual, error.did)
        case NotRun():
            return Result(case=case, outcome=Outcome.NOT_RUN, reason=str(error))
        case NotApplicable():
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=str(error))
        case Over():
            return Result(case=case, outcome=Outcome.OVER, reason=str(error))
        case _ if context.journal.came_from_a_store(error):
            result = _failed(case, "no error", f"{type(error).__name__}: {error}")
        case _:
            reason = f"{type(error).__name__}: {error}"
            result = Result(case=case, outcome=Outcome.ERROR, reason=reason)
    return replace(result, trace="".join(traceback.format_exception(error)))


def _failed(case: Case, expected: str, actual: str, did: str = "") -> Result:
    return Result(
        case=case,
        outcome=Outcome.FAIL,
        reason=str(Violation(expected, actual, did)),
        expected=expected,
        actual=actual,
    )


def _names(flags: Capability) -> str:
    return ", ".join(flag.name or "" for flag in flags)


def _reap(context: Context) -> list[str]:
    """Delete what the case has stored, and close its clients.

    Returns:
        What could not be deleted, and why.
    """
    stuck = []
    for location, client in tuple(context.journal.live.items()):
        if not client.capabilities & Capability.DELETE:
            continue
        try:
            _delete(context, client.store, location)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is in the report
            stuck.append(f"{location}: {type(error).__name__}: {error}")
    context.exit.close()
    return stuck


def _delete(context: Context, store: Store, location: str) -> None:
    try:
        store.delete(location)
    except NotFound:
        return
    except (StoreClosed, InvalidLocation):  # the latter of a client that a relay stood before
        with context.harness.make_store() as fresh, suppress(NotFound):
            fresh.delete(location)
