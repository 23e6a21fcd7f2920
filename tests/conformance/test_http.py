"""The http driver keeps the contract."""

import pytest
from servers import nginx
from servers.required import require

from conformance.http import HttpHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _a_web_server():
    require(nginx.missing())


class TestHttp(ConformanceTests):
    harness = HttpHarness
