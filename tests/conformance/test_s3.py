"""The s3 driver keeps the contract on every server that it is proved on."""

import pytest
from servers import ceph, versitygw
from servers.required import require

from conformance.s3 import MotoHarness, RadosgwHarness, VersitygwHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def _versitygw():
    require(versitygw.missing())


@pytest.fixture(scope="class")
def _radosgw():
    require(ceph.missing(gateway=True))


@pytest.mark.usefixtures("_versitygw")
class TestVersitygw(ConformanceTests):
    harness = VersitygwHarness
    level = "hard"


@pytest.mark.usefixtures("_radosgw")
class TestRadosgw(ConformanceTests):
    harness = RadosgwHarness
    level = "hard"


class TestMoto(ConformanceTests):
    harness = MotoHarness
    level = "core"
