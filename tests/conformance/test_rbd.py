"""The rbd driver keeps the contract."""

import pytest
from servers import ceph
from servers.required import require

from conformance.rbd import RbdHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def _ceph():
    require(ceph.missing(manager=True))


@pytest.mark.usefixtures("_ceph")
class TestRbd(ConformanceTests):
    harness = RbdHarness
    level = "robust"


@pytest.mark.usefixtures("_ceph")
class TestRbdCrashes(ConformanceTests):
    """What level hard adds and a cluster in memory has a part in."""

    harness = RbdHarness
    level = "hard"
    select = "CRS,CON-08"
