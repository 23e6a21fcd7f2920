"""The swift driver keeps the contract on every server that it is proved on."""

import pytest
from servers import ceph, swift
from servers.required import require

from conformance.swift import (
    KeystoneHarness,
    MultiTenantHarness,
    RadosgwSwiftHarness,
    TempauthHarness,
)
from storekit.testing import ConformanceTests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="class")
def _swift():
    require(swift.missing())


@pytest.fixture(scope="class")
def _keystone():
    require(swift.missing(keystone=True))


@pytest.fixture(scope="class")
def _radosgw():
    require(ceph.missing(gateway=True))


@pytest.mark.usefixtures("_swift")
class TestTempauth(ConformanceTests):
    harness = TempauthHarness
    level = "hard"


@pytest.mark.usefixtures("_keystone")
class TestKeystone(ConformanceTests):
    """What the way to a token has a part in."""

    harness = KeystoneHarness
    level = "robust"
    select = "ADD,GET,DEL,ERR,FLT,LOC"


@pytest.mark.usefixtures("_keystone")
class TestMultiTenant(ConformanceTests):
    """What a container for each image has a part in."""

    harness = MultiTenantHarness
    level = "robust"
    select = "ACL,DEL,LFT,LOC-04,LOC-08,LST"


@pytest.mark.usefixtures("_radosgw")
class TestRadosgw(ConformanceTests):
    harness = RadosgwSwiftHarness
    level = "robust"
