"""The http driver keeps the contract."""

import os

import pytest
from servers import nginx

from conformance.http import HttpHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _a_web_server():
    missing = nginx.missing()
    if missing and os.environ.get("STOREKIT_REQUIRE_SERVERS") == "1":
        pytest.fail(f"a server that must be there is not: {missing}")
    if missing:
        pytest.skip(missing)


class TestHttp(ConformanceTests):
    harness = HttpHarness
