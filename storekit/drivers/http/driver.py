"""The driver: options, which locations it reads, and the verbs.

A web server is read and nothing else, over HTTP/1.1 as RFC 9110 and RFC 9112 have it. Run against
nginx 1.22.1; what no sound server does, against scripted sockets.

Special is that whoever may name a location makes this process connect: see ``policy``.
"""

from __future__ import annotations

import base64
import ssl
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import unquote_to_bytes

import certifi
import requests
import urllib3
from pydantic import Field, SecretStr, field_validator, model_validator

from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Driver, DriverOptions
from storekit.drivers.http.asker import Asker
from storekit.drivers.http.faults import fault_of
from storekit.drivers.http.image import WebImage
from storekit.drivers.http.policy import AddressPolicy, canonical_host
from storekit.drivers.http.ranging import RangeMemory
from storekit.drivers.http.target import Target
from storekit.drivers.http.transport import Transport
from storekit.errors import ConfigurationError, StoreError
from storekit.location import Location
from storekit.perprocess import PerProcess
from storekit.retry import RetryPolicy
from storekit.values import Content

__all__ = ["HttpDriver", "Options"]


class Options(DriverOptions):
    """Options of an http store. Everything has a default."""

    allow_hosts: tuple[str, ...] = Field(
        (), description="Hosts, by their exact names, that may be at any address."
    )
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="Networks that are open besides all public addresses."
    )
    max_redirects: int = Field(10, ge=0, le=100, description="How many redirects are followed.")
    username: str | None = Field(None, description="User name for the hosts in allow_hosts.")
    password: SecretStr | None = Field(None, description="Password for the hosts in allow_hosts.")

    @field_validator("allow_hosts")
    @classmethod
    def _canonical(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical_host(host.strip("[]")) for host in hosts)

    @model_validator(mode="after")
    def _credential_has_a_host(self) -> Options:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.username is not None and not self.allow_hosts:
            raise ValueError("username and password go only to hosts in allow_hosts: name some")
        return self


class HttpDriver(Driver):
    """Images on web servers, to be read only."""

    schemes = ("http", "https")
    options = Options
    capabilities = (
        Capability.GET | Capability.GET_RANGE | Capability.THREAD_SAFE | Capability.FORK_SAFE
    )
    limits = Limits()
    example_locations = (
        "http://images.example.org/cirros-0.6.3.img",
        "https://images.example.org:8443/download/cirros%200.6.3?format=qcow2",
        "https://[2600:1f18::21]/cirros-0.6.3.img",
    )
    config: Options

    def __init__(self, store_name: str, options: DriverOptions) -> None:
        super().__init__(store_name, options)
        self._policy = AddressPolicy(
            frozenset(self.config.allow_hosts), tuple(self.config.allow_networks)
        )
        self._retry = RetryPolicy(self.limits.max_attempts, self.limits.op_budget)
        self._ranging = RangeMemory()
        self._tls: ssl.SSLContext | None = None
        self._transport = PerProcess(self._connect)

    def open(self) -> None:
        """Read the certificates to trust. There is no server to connect to yet.

        Raises:
            ConfigurationError: They cannot be read.
        """
        self._tls = self._tls_context()

    def close(self) -> None:
        """Close what is idle. May be called twice, and without ``open``."""
        if transport := self._transport.take():
            transport.close()

    def owns(self, location: Location) -> bool | None:
        """Tell whether a location can be read. No I/O.

        Args:
            location: An http or https location.

        Raises:
            InvalidLocation: It is malformed, or its host is a closed address.
        """
        target = Target.of(location)
        self._policy.check_text(target.host)
        return True

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map what the HTTP library raised past all that is mapped where it happens.

        Args:
            error: What escaped from a verb.
            operation: The verb.
        """
        if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
            return fault_of(error)
        return None

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image.

        Args:
            location: An owned location.
            offset: The first byte wanted.
            length: How many bytes at most, 1 or more; None is all.
            context: Not used.

        Returns:
            The size and the chunks. They can be resumed where the server gave a strong ETag.

        Raises:
            NotFound: There is no such image.
            Forbidden: The server says so, its address is closed, or its certificate was refused.
            Unsupported: The server does not tell the size, or sends no parts.
            Unavailable: It could not answer, however often it was asked.
        """
        image = self._image(location)
        slot = image.asker.transport.slot()
        try:
            return self._retry.run(lambda clock: image.open(offset, length, clock, slot))
        except BaseException:
            slot.release()
            raise

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image in bytes.

        Args:
            location: An owned location.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            Unsupported: The server does not tell the size.
            StoreError: As ``get``.
        """
        image = self._image(location)
        slot = image.asker.transport.slot()
        try:
            return self._retry.run(image.size)
        finally:
            slot.release()

    def _image(self, location: Location) -> WebImage:
        target = Target.of(location)
        asker = Asker(
            self._transport.get(),
            target,
            self._authorization(location, target),
            self.config.max_redirects,
        )
        return WebImage(asker, self.limits, self._ranging)

    def _authorization(self, location: Location, target: Target) -> str | None:
        if location.userinfo:
            user, _, password = location.userinfo.partition(":")
            return _basic(unquote_to_bytes(_octets(user)), unquote_to_bytes(_octets(password)))
        options = self.config
        if options.username is None or target.host not in self._policy.allow_hosts:
            return None
        secret = options.password.get_secret_value() if options.password else ""
        return _basic(options.username.encode(), secret.encode())

    def _connect(self) -> Transport:
        tls = self._tls = self._tls or self._tls_context()
        return Transport(self._policy, self.limits, tls)

    def _tls_context(self) -> ssl.SSLContext:
        file = str(self.config.ca_file or certifi.where())
        try:
            context = ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ConfigurationError(
                f"ca_file {file} cannot be used: {error.strerror or error}",
                hint="give a file of certificates in PEM form",
            ) from error
        if self.config.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _basic(user: bytes, password: bytes) -> str:
    """The header of RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(user + b":" + password).decode("ascii")
