"""Which addresses are open, however they are written."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storekit import InvalidLocation
from storekit.drivers.http.policy import AddressPolicy, canonical_host, literal

PUBLIC = AddressPolicy()

CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "100::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fdff::1",
    "ff02::1",
    "ff0e::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "64:ff9b:1::8.8.8.8",
    "::ffff:0:8.8.8.8",
    # They embed a closed IPv4 address: mapped, compatible, NAT64, 6to4.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101:5::9",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2600:1f18::21",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_public_is_closed(address):
    assert not PUBLIC.permits("name.example", ip_address(address))
    with pytest.raises(InvalidLocation, match="address policy"):
        PUBLIC.check_text(canonical_host(address))


@pytest.mark.parametrize("address", OPEN)
def test_a_public_address_is_open(address):
    assert PUBLIC.permits("name.example", ip_address(address))
    PUBLIC.check_text(canonical_host(address))


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3"),
        ("::1/128", "::1"),
        ("fd00::/8", "fd12::1"),
        ("0.0.0.0/0", "127.0.0.1"),
    ],
)
def test_an_allowed_network_is_open_too(network, address):
    policy = AddressPolicy(allow_networks=(ip_network(network),))
    assert policy.permits("name.example", ip_address(address))
    assert policy.permits("name.example", ip_address("8.8.8.8"))


@pytest.mark.parametrize("network", ["::/0", "::ffff:0:0/96", "10.0.0.0/9"])
def test_an_embedded_address_is_not_opened_by_the_network_around_it(network):
    policy = AddressPolicy(allow_networks=(ip_network(network),))
    assert not policy.permits("name.example", ip_address("::ffff:10.200.0.1"))


def test_an_allowed_host_is_open_at_any_address_and_no_other_host_is():
    policy = AddressPolicy(allow_hosts=frozenset({"inner.example"}))
    assert policy.permits("inner.example", ip_address("10.0.0.1"))
    for other in ("sub.inner.example", "example", "xinner.example", "10.0.0.1"):
        assert not policy.permits(other, ip_address("10.0.0.1"))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
        ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("\u2460\u2461\u2466.0.0.1", "127.0.0.1"),
        ("::0001", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::FFFF:7F00:1", "::ffff:7f00:1"),
    ],
)
def test_an_address_is_known_in_every_form(written, address):
    assert literal(canonical_host(written)) == ip_address(address)
    with pytest.raises(InvalidLocation):
        PUBLIC.check_text(canonical_host(written))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_any_ipv4_address_as_one_number_is_judged_as_the_address(number, form):
    host = canonical_host(form.format(number))
    assert host == str(IPv4Address(number))


@given(st.integers(0, 2**32 - 1))
def test_an_embedded_ipv4_address_is_judged_as_it_is_alone(number):
    alone = PUBLIC.permits("a", IPv4Address(number))
    for around in (0xFFFF << 32, 0x64FF9B << 96):
        assert PUBLIC.permits("a", IPv6Address(around | number)) == alone
    assert PUBLIC.permits("a", IPv6Address(0x2002 << 112 | number << 80)) == alone


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        ".a",
        "-" * 64 + ".example",
        "a." * 130 + "example",
        "256.0.0.1",
        "1.2.3.4.5",
        "09.0.0.1",
        "host.7",
        "fe80::1%25eth0",
        "fe80::1%eth0",
        "1::2::3",
        "a b",
        "a%2eb",
        "a\\b",
        "*.example",
        "a,b",
        "\u2100",
        "xn--\u00e9",
    ],
)
def test_what_is_neither_name_nor_address_is_refused(written):
    with pytest.raises(InvalidLocation):
        canonical_host(written)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Images.Example.ORG", "images.example.org"),
        ("images.example.org.", "images.example.org"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
        ("3com.example", "3com.example"),
        ("0x7f.example", "0x7f.example"),
    ],
)
def test_a_name_has_one_form(written, name):
    assert canonical_host(written) == name
    assert canonical_host(name) == name


@given(st.text(max_size=40))
def test_any_text_is_a_host_or_refused(text):
    try:
        host = canonical_host(text)
    except InvalidLocation:
        return
    assert host.isascii()
    assert canonical_host(host) == host
