"""Where a client tries again below max_attempts, the report asks for a second layer of retries."""

from dataclasses import replace

import pytest

from storekit.testing import Outcome, run
from storekit.testing.reference import MemoryDriver, MemoryHarness
from storekit.testing.reference.connection import Pool


class Stubborn(Pool):
    """Tries again whatever max_attempts says, as a library below a driver may."""

    def __init__(self, host, port, token, limits, tls=None):
        super().__init__(host, port, token, replace(limits, max_attempts=4), tls)


class TwoLayersDriver(MemoryDriver):
    pool = Stubborn


class TwoLayers(MemoryHarness):
    driver = TwoLayersDriver


@pytest.mark.parametrize("case_id", ["FLT-03", "FLT-14"])
def test_connections_that_max_attempts_does_not_explain_are_told(case_id):
    result = run(TwoLayers, level="robust", select=case_id, seed=1)[case_id]
    assert result.outcome is Outcome.FAIL
    assert "connections were used" in result.reason
    assert "a second layer of retries?" in result.actual
