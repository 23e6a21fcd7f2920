"""FLT-15 and STA-03 lose answers in whatever protocol over TCP."""

import pytest

from storekit.testing import Outcome, run
from storekit.testing.zoo.mutants_flt_retry import NoHttp


@pytest.mark.parametrize("case_id", ["FLT-15", "STA-03", "DEL-09"])
def test_a_right_driver_passes_where_the_protocol_is_not_known(case_id):
    result = run(NoHttp, level="hard", select=case_id, seed=1)[case_id]
    assert result.outcome is Outcome.PASS, result.reason


def test_every_answer_of_an_add_and_a_delete_is_lost_once_and_for_ever():
    result = run(NoHttp, level="hard", select="FLT-15", seed=1)["FLT-15"]
    # A delete has one answer, an add in one request two, one in parts six with its session.
    assert result.notes["lost"] >= 2 * (1 + 2 + 5)
