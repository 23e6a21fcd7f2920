"""The address policy: which hosts may be connected to.

Whoever may name a location makes this process send requests. So only public addresses are open,
unless the operator opens more, and what counts is the address, however it is written or found.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import idna

from storekit.errors import InvalidLocation

__all__ = ["Address", "AddressPolicy", "Network", "canonical_host", "literal"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)

# IANA's special-purpose address registries (RFC 6890 and what followed), and multicast. Own
# tables, as what ``ipaddress.is_global`` says differs between versions of Python.
_CLOSED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, a cloud's metadata among it
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # former 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
# The only IPv6 addresses that are global unicast (RFC 4291, 2.4, and IANA's assignments).
_GLOBAL_UNICAST = IPv6Network("2000::/3")

# Networks whose addresses embed an IPv4 address, and by how many bits it is shifted.
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped: RFC 4291, 2.5.5.2
    (IPv6Network("::/96"), 0),  # compatible: RFC 4291, 2.5.5.1
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64: RFC 6052, 2.1
    (IPv6Network("2002::/16"), 80),  # 6to4: RFC 3056, 2
)
_NOT_COMPATIBLE = (IPv6Address("::"), IPv6Address("::1"))  # unspecified, loopback


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses are open: the public ones, and what the operator opened."""

    allow_hosts: frozenset[str] = frozenset()
    """Hosts, in canonical form, that may be at any address."""
    allow_networks: tuple[Network, ...] = ()
    """Networks that are open too."""

    def permits(self, host: str, address: Address) -> bool:
        """Tell whether a host may be connected to at an address.

        Args:
            host: The host in canonical form.
            address: One of its addresses. An IPv6 address that embeds an IPv4 one is judged by
                that one.
        """
        if host in self.allow_hosts:
            return True
        real = _embedded(address) or address
        return _is_public(real) or any(real in network for network in self.allow_networks)

    def check_text(self, host: str) -> None:
        """Refuse a host that is itself a closed address. No I/O.

        Args:
            host: The host in canonical form.

        Raises:
            InvalidLocation: It is an address outside the policy.
        """
        address = literal(host)
        if address is not None and not self.permits(host, address):
            raise InvalidLocation(
                f"the address {host} is outside the address policy of the store",
                hint="allow_hosts or allow_networks of the store open it",
            )


def canonical_host(text: str) -> str:
    """Give the one form of a host under which it is judged, compared and asked for.

    Args:
        text: A host as it stands in a URI, IPv6 without brackets.

    Returns:
        A name in lower case and ASCII, without the final dot; an address in its usual form, also
        where it was written in decimal, octal or hexadecimal.

    Raises:
        InvalidLocation: It can be no host.
    """
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:  # idna's own errors are such
            raise InvalidLocation("the host is no name that a resolver can look up") from None
    host = host.removesuffix(".") if ":" not in host else host
    address = literal(host)
    if address is not None:
        return str(address)
    if not _NAME.fullmatch(host) or _NUMBER.fullmatch(host):
        raise InvalidLocation("the host is neither a name nor an address")
    return host


def literal(host: str) -> Address | None:
    """Read a host that is an address and needs no look-up.

    Args:
        host: A host in lower case.

    Returns:
        The address, or None where the host is a name.
    """
    if ":" in host:
        try:
            return None if "%" in host else IPv6Address(host)
        except ValueError:
            return None
    if not _NUMBER.fullmatch(host):
        return None
    try:
        # As the C library's resolver reads it: 1 to 4 parts, decimal, octal or hexadecimal.
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def address_of(text: str) -> Address:
    """Read an address as a resolver gives it.

    Args:
        text: The address; a zone behind ``%`` is dropped.
    """
    return ip_address(text.partition("%")[0])


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address) or address in _NOT_COMPATIBLE:
        return None
    for network, shift in _EMBEDDING:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _CLOSED)
