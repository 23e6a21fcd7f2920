"""The s3 driver keeps the contract on every server that it is proved on."""

import pytest
from servers import ceph, versitygw
from servers.required import require

from conformance.s3 import MotoHarness, RadosgwHarness, VersitygwHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


class TestVersitygw(ConformanceTests):
    harness = VersitygwHarness

    @pytest.fixture(scope="class", autouse=True)
    def _server(self):
        require(versitygw.missing())


class TestRadosgw(ConformanceTests):
    harness = RadosgwHarness

    @pytest.fixture(scope="class", autouse=True)
    def _server(self):
        require(ceph.missing(gateway=True))


class TestMoto(ConformanceTests):
    harness = MotoHarness
    level = "core"
