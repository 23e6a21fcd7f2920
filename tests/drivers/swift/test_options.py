"""What can be configured, and what is said of what cannot."""

import re

import pytest

import storekit
from storekit import Capability, ConfigurationError, Location
from storekit.drivers.swift import Options, SwiftDriver

V1 = {
    "auth_url": "https://swift.example.net/auth/v1.0",
    "auth_version": 1,
    "username": "acc:joe",
    "password": "very-secret",
}
V3 = {
    "auth_url": "https://keystone.example.net:5000/v3",
    "username": "joe",
    "password": "very-secret",
    "project": "images",
}
APPLICATION = {
    "auth_url": V3["auth_url"],
    "application_credential_id": "0123",
    "application_credential_secret": "also-secret",
}


def driver(name="objects", **options):
    return SwiftDriver(name, Options(**{**V3, **options}))


@pytest.mark.parametrize("known", [V1, V3, APPLICATION, {}])
def test_there_are_several_ways_to_say_who_we_are(known):
    assert SwiftDriver("objects", Options(**known)).config.container == "images"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth_url": "keystone.example.net"}, "a URL such as"),
        ({"auth_url": "ftp://keystone.example.net"}, "a URL such as"),
        ({"auth_url": "https://joe:secret@keystone.example.net"}, "no credential in the URL"),
        ({"auth_url": "https://keystone.example.net:99999"}, "auth_url"),
        ({"auth_url": None}, "auth_url says where"),
        ({"auth_version": 2}, "auth_version"),
        ({"auth_version": True}, "auth_version"),
        ({"auth_version": 1}, "knows username and password only"),
        ({"username": None}, "go together"),
        ({"password": None}, "go together"),
        ({"project": None}, "in which project"),
        ({"application_credential_id": "0123"}, "go together"),
        (APPLICATION, "either username or"),
        ({"interface": "inner"}, "interface"),
        ({"container": ""}, "container"),
        ({"container": "a/b"}, "container"),
        ({"container": ".."}, "no . and no .."),
        ({"container": "ä" * 65}, "at most 128 bytes"),
        ({"containers": 0}, "containers"),
        ({"containers": 257}, "containers"),
        ({"segments_container": "a/b"}, "segments_container"),
        ({"multi_tenant": True, "containers": 3}, "leave containers out"),
        ({"multi_tenant": True, "segments_container": "s"}, "leave segments_container out"),
        ({"part_size": 6 << 30}, "part_size"),
    ],
)
def test_a_bad_option_is_named(options, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        storekit.open_store("swift", name="objects", **{**V3, **options})


@pytest.mark.parametrize("known", [V1, V3, APPLICATION])
def test_no_secret_is_shown(known):
    assert not {"very-secret", "also-secret"} & set(re.findall(r"[\w-]+", repr(Options(**known))))


def test_the_largest_image_is_what_the_segments_can_hold():
    assert driver().limits.max_image_size == 1000 * 4 * (32 << 20)
    assert driver(part_size=1 << 20, window=1).limits.max_image_size == 1000 << 20
    assert driver(part_size=4 << 30).limits.max_image_size == 1000 * (5 << 30)
    assert driver(max_image_size=7).limits.max_image_size == 7


def test_only_an_image_with_a_container_of_its_own_has_access_lists():
    assert Capability.ACL not in driver().capabilities
    assert "multi_tenant" in driver().withdrawn[Capability.ACL]
    assert Capability.ACL in driver(multi_tenant=True).capabilities


def test_no_winner_is_promised_to_writers_of_one_id():
    assert Capability.EXCLUSIVE_ADD not in driver().capabilities


def test_an_id_fits_into_the_name_of_its_containers():
    assert driver().limits.max_id_length == 255
    assert driver(multi_tenant=True).limits.max_id_length == 256 - len("images-segments_")


@pytest.mark.parametrize(
    ("options", "uri", "owned"),
    [
        ({}, "swift+config://objects/images/a", True),
        ({}, "swift+config://objects/images_07/a", True),
        ({}, "swift+config://objects/images_segments/a", False),
        ({}, "swift+config://objects/other/a", False),
        ({}, "swift+config://Objects/images/a", False),
        ({}, "swift+config://objects/images", False),
        ({}, "swift+config://objects/images/", False),
        ({}, "swift+config://objects/images/a/b", False),
        ({}, "swift+config://objects/images/..", False),
        ({}, "swift+config://objects/images_%2F..%2Fsecrets/a", False),
        ({}, "swift+config://objects/images_segments%2F.storekit-x%2Fimages%2Fa/00000001", False),
        ({}, "swift+config://objects/images_%FF/a", False),
        ({}, "swift+config://objects/images/.storekit-x", False),
        ({}, "swift+config://objects/AUTH_x/images/a", False),
        ({"multi_tenant": True}, "swift+config://objects/AUTH_x/images_a/a", True),
        ({"multi_tenant": True}, "swift+config://objects/AUTH_x/other_a/a", False),
        ({"multi_tenant": True}, "swift+config://objects//images_a/a", False),
        ({"multi_tenant": True}, "swift+config://objects/../images_a/a", False),
        ({"multi_tenant": True}, "swift+config://objects/a%2Fb/images_a/a", False),
        ({}, "swift+https://joe:pw@keystone.example.net:5000/v3/images/a", True),
        ({}, "swift+https://images%3Ajoe:p/w@keystone.example.net:5000/v3/images/a", True),
        ({}, "swift://joe:pw@KEYSTONE.example.net:5000/v3/images/a", True),
        ({}, "swift://joe:pw@keystone.example.net:5000/images/a", False),
        ({}, "swift+https://joe:pw@keystone.example.net:5000/v3/other/a", False),
        # Where the account is, only an open store knows.
        ({}, "swift+https://storage.example.net/v1/AUTH_x/images/a", None),
        ({"auth_url": "http://h.example"}, "swift+http://joe:pw@h.example/v3/images/a", True),
        ({"auth_url": "http://h.example"}, "swift+http://joe:pw@h.example:80/v3/images/a", True),
        ({"auth_url": "http://[2001:db8::1]:1"}, "swift+http://[2001:db8::1]:1/v3/images/a", True),
    ],
)
def test_a_store_owns_what_is_in_its_containers(options, uri, owned):
    assert driver(**options).owns(Location(uri)) is owned


def test_the_location_of_a_store_with_a_strange_name_leads_back_to_it():
    strange = driver("Zürich / 2")
    place = strange._places.new("a")
    location = strange._places.location(place)
    assert str(location) == "swift+config://Z%C3%BCrich%20%2F%202/images/a"
    assert strange._places.read(Location(str(location))) == place
    assert not driver("Zürich").owns(location)
