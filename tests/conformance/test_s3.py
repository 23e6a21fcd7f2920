"""The s3 driver keeps the contract on every server that it is proved on."""

import os

import pytest
from servers import ceph, golang
from servers.required import require

from conformance.s3 import MinioHarness, MotoHarness, RadosgwHarness, VersitygwHarness
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def _versitygw():
    require(golang.missing("versitygw"))


@pytest.fixture(scope="class")
def _minio():
    require(golang.missing("minio"))


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


@pytest.mark.usefixtures("_minio")
class TestMinio(ConformanceTests):
    """Only where it is asked for: it takes minutes to build."""

    __test__ = os.environ.get("STOREKIT_MINIO") == "1"
    harness = MinioHarness
    level = "hard"


class TestMoto(ConformanceTests):
    harness = MotoHarness
    level = "core"
