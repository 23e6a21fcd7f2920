"""Swift: OpenStack's object store, with one copy of each object, on its own or with Keystone.

Version 2.38.3, from PyPI, in a virtual environment that ``build-openstack`` makes once. Its four
servers are one process, and keep objects as files with extended attributes.
"""

import base64
import contextlib
import getpass
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from servers import openstack
from servers.daemons import Daemons, daemons, status_of
from servers.keystone import Keystone

__all__ = ["KEY", "OTHER", "READER", "USER", "Swift", "missing", "swift"]

USER, KEY = "test:tester", "swift-testing-0123456789"
"""Who owns the account ``AUTH_test`` where there is no Keystone."""
READER = ("test:reader", "swift-reading-0123456789")
"""Name and key of a user of that account who may do what the lists of a container let it."""
OTHER = ("test2:tester2", "swift-testing-another-0123456789")
"""Name and key of the owner of another account."""

_SERVERS = ("account", "container", "object", "proxy")
_COMMON = """\
[DEFAULT]
devices = {dir}/srv
swift_dir = {dir}/etc
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
# The only one that there is: it is waited for, and never taken out of service.
conn_timeout = 10
node_timeout = 60
client_timeout = 30
log_level = WARNING
"""
# Chunks of 64 KiB, the default, make a download half as fast.
_STORAGE = """\
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
network_chunk_size = 1048576
disk_chunk_size = 1048576
"""
_FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy"),
    *("container_quotas", "account_quotas", "slo", "dlo", "versioned_writes", "symlink"),
)
_PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk {auth} copy \
container_quotas account_quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
conn_timeout = 10
node_timeout = 60
error_suppression_interval = 0
object_chunk_size = 1048576
client_chunk_size = 1048576
[filter:cache]
paste.filter_factory = local_cache:filter_factory
"""
# With a key its tokens need no memcached.
_TEMPAUTH = """\
[filter:tempauth]
use = egg:swift#tempauth
active_fernet_key_id = k1
fernet_key_k1 = {fernet}
"""
_KEYSTONE = """\
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {url}
auth_url = {url}
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = swift-service
username = swift
password = {password}
service_token_roles = service
service_token_roles_required = true
# For what is public by an access list.
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
"""
_SERVICE_PASSWORD = "swift-service-0123456789"


@dataclass
class Swift:
    """A running Swift."""

    endpoint: str
    """The URL of its proxy."""
    data: Path
    """Where its objects are."""
    pid: int
    _daemons: Daemons
    _command: list[object]

    @property
    def auth_url(self) -> str:
        """Where ``USER`` logs in, without a Keystone."""
        return f"{self.endpoint}/auth/v1.0"

    def restart(self) -> None:
        """Kill it, and start it again with the same objects."""
        self._daemons.signal("swift", 9)
        self._start()

    def forget_tokens(self) -> None:
        """Have no token be good any more that tempauth gave: restart with another key."""
        conf = self.data.with_name("etc") / "proxy-server.conf"
        conf.write_text(re.sub("(?<=fernet_key_k1 = ).*", _fernet_key(), conf.read_text()))
        self.restart()

    def signal(self, number: int) -> None:
        """Send it a signal.

        Args:
            number: The signal.
        """
        self._daemons.signal("swift", number)

    def _start(self) -> None:
        # The environment of the tests is not that of the server.
        self.pid = self._daemons.start("swift", self._command, PYTHONPATH="")
        self._daemons.wait_until("swift", self._answers)

    def _answers(self) -> bool:
        return status_of(self.endpoint, "/healthcheck") == 200


def missing(*, keystone: bool = False) -> str | None:
    """Say what the machine lacks to run it; None where it lacks nothing.

    Args:
        keystone: Whether Keystone is wanted too.
    """
    return openstack.missing("swift", *(["keystone"] if keystone else []))


@contextlib.contextmanager
def swift(
    keystone: Keystone | None = None, constraints: Mapping[str, int] | None = None
) -> Iterator[Swift]:
    """Run it without any object, and remove what it has at the end.

    Args:
        keystone: Who knows its users, and puts it into the catalog; tempauth without.
        constraints: Limits of ``[swift-constraints]``, such as ``container_listing_limit``.
    """
    with daemons("swift") as running:
        ports = dict(zip(_SERVERS, running.ports(4), strict=True))
        _configure(running.directory, ports, keystone, constraints or {})
        launcher = openstack.HERE / "run_swift.py"
        command = [openstack.python("swift"), "-W", "ignore", launcher, running.directory]
        endpoint = f"http://127.0.0.1:{ports['proxy']}"
        server = Swift(endpoint, running.directory / "srv", 0, running, [*command, *ports.values()])
        if keystone is not None:
            _register(keystone, endpoint)
        server._start()
        yield server


def _configure(
    directory: Path,
    ports: Mapping[str, int],
    keystone: Keystone | None,
    constraints: Mapping[str, int],
) -> None:
    etc = directory / "etc"
    etc.mkdir()
    (directory / "srv" / "d1").mkdir(parents=True)
    limits = "".join(f"{name} = {limit}\n" for name, limit in constraints.items())
    hashing = "[swift-hash]\nswift_hash_path_suffix = storekit\n"
    (etc / "swift.conf").write_text(f"{hashing}[swift-constraints]\n{limits}")
    for name, port in ports.items():
        common = _COMMON.format(dir=directory, port=port, user=getpass.getuser())
        own = _proxy(keystone) if name == "proxy" else _STORAGE.format(name=name)
        (etc / f"{name}-server.conf").write_text(common + own)


def _proxy(keystone: Keystone | None) -> str:
    auth = "tempauth" if keystone is None else "authtoken keystoneauth"
    sections = [f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in _FILTERS]
    text = _PROXY.format(auth=auth) + "".join(sections)
    if keystone is not None:
        return text + _KEYSTONE.format(url=keystone.auth_url, password=_SERVICE_PASSWORD)
    users = {USER: f"{KEY} .admin", READER[0]: READER[1], OTHER[0]: f"{OTHER[1]} .admin"}
    known = [f"user_{name.replace(':', '_')} = {what}\n" for name, what in users.items()]
    return text + _TEMPAUTH.format(fernet=_fernet_key()) + "".join(known)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _register(keystone: Keystone, endpoint: str) -> None:
    project = keystone.add_project("swift-service")
    keystone.add_user("swift", _SERVICE_PASSWORD, project, "service")
    account = f"{endpoint}/v1/AUTH_$(project_id)s"
    keystone.add_endpoint("object-store", public=account, internal=account, admin=endpoint)
