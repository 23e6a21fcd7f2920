"""Keystone: OpenStack's identity service, on SQLite, with users as a test wants them.

Version 30.0.0, from PyPI, in a virtual environment that ``build-openstack`` makes once.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from servers import openstack
from servers.daemons import Daemons, daemons

__all__ = ["ADMIN", "Keystone", "keystone", "missing"]

ADMIN = ("admin", "adminpw-0123456789")
"""Name and password of the administrator, whose project is ``admin``."""

_CONFIGURATION = """\
[DEFAULT]
log_file = {dir}/keystone.log
[database]
connection = sqlite:///{dir}/keystone.db
[token]
provider = fernet
expiration = {token_life}
[fernet_tokens]
key_repository = {dir}/fernet-keys
[fernet_receipts]
key_repository = {dir}/fernet-keys
[credential]
key_repository = {dir}/credential-keys
[identity]
# A login takes 16 ms with 4 rounds, and 240 with the 12 of the default.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
"""


@dataclass
class Keystone:
    """A running Keystone. Its users, projects and endpoints are in the domain ``default``."""

    auth_url: str
    """The URL of its API, version 3."""
    pid: int
    _daemons: Daemons
    _command: list[object]

    def restart(self) -> None:
        """Kill it, and start it again with what it knows."""
        self._daemons.signal("keystone", 9)
        self._start()

    def signal(self, number: int) -> None:
        """Send it a signal.

        Args:
            number: The signal.
        """
        self._daemons.signal("keystone", number)

    def add_project(self, name: str) -> str:
        """Make a project, and give its id.

        Args:
            name: The name.
        """
        return self._make("project", name=name, domain_id="default")

    def add_user(self, name: str, password: str, project: str, *roles: str) -> str:
        """Make a user, and give its id.

        Args:
            name: The name.
            password: The password.
            project: The id of its project.
            *roles: What it is there: ``admin``, ``member``, ``reader``, ``service``.
        """
        user = self._make(
            "user", name=name, domain_id="default", password=password, default_project_id=project
        )
        for role in roles:
            self.grant(user, project, role)
        return user

    def grant(self, user: str, project: str, role: str) -> None:
        """Give a user a role in a project.

        Args:
            user: Its id.
            project: The id of the project.
            role: The name of the role.
        """
        (found,) = self.ask("GET", f"/roles?name={role}")["roles"]
        self.ask("PUT", f"/projects/{project}/users/{user}/roles/{found['id']}")

    def add_endpoint(self, kind: str, region: str = "RegionOne", **urls: str) -> None:
        """Put a service into the catalog.

        Args:
            kind: Its type, such as ``object-store``.
            region: Where it is.
            **urls: The URL of each interface: ``public``, ``internal``, ``admin``.
        """
        known = self.ask("GET", f"/services?type={kind}")["services"]
        service = known[0]["id"] if known else self._make("service", name=kind, type=kind)
        if not any(found["id"] == region for found in self.ask("GET", "/regions")["regions"]):
            self._make("region", id=region)
        for interface, url in urls.items():
            named = {"service_id": service, "region_id": region, "interface": interface}
            self._make("endpoint", **named, url=url)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call its API as the administrator.

        Args:
            method: The method.
            path: The path below ``auth_url``.
            body: What to send, if anything.
        """
        # A token for each call: those of a test may live for seconds.
        token = self.token(*ADMIN, "admin")
        return self._send(method, path, body, {"X-Auth-Token": token})[1]

    def token(self, name: str, password: str, project: str) -> str:
        """Log a user in, and give the token.

        Args:
            name: The name.
            password: The password.
            project: The name of the project.
        """
        domain = {"id": "default"}
        user = {"name": name, "password": password, "domain": domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": project, "domain": domain}}
        auth = {"auth": {"identity": identity, "scope": scope}}
        return str(self._send("POST", "/auth/tokens", auth, {})[0]["X-Subject-Token"])

    def _make(self, kind: str, **attributes: str) -> str:
        return str(self.ask("POST", f"/{kind}s", {kind: attributes})[kind]["id"])

    def _send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        asked = urllib.request.Request(self.auth_url + path, data, headers, method=method)
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with no_proxy.open(asked, timeout=30) as answer:
            said = answer.read()
            return answer.headers, json.loads(said) if said else None

    def _start(self) -> None:
        # The environment of the tests is not that of the server.
        env = {"OS_BOOTSTRAP_PASSWORD": ADMIN[1], "PYTHONPATH": ""}
        self.pid = self._daemons.start("keystone", self._command, **env)
        self._daemons.wait_until("keystone", self._answers)

    def _answers(self) -> bool:
        return bool(self._send("GET", "", None, {})[1])


def missing() -> str | None:
    """Say what the machine lacks to run it; None where it lacks nothing."""
    return openstack.missing("keystone")


@contextlib.contextmanager
def keystone(*, token_life: int = 3600) -> Iterator[Keystone]:
    """Run it with a new database, and remove both at the end.

    Args:
        token_life: Seconds for which a token is good.
    """
    with daemons("keystone") as running:
        (port,) = running.ports(1)
        conf = running.directory / "keystone.conf"
        conf.write_text(_CONFIGURATION.format(dir=running.directory, token_life=token_life))
        launcher = openstack.HERE / "run_keystone.py"
        command = [openstack.python("keystone"), "-W", "ignore", launcher, running.directory, port]
        server = Keystone(f"http://127.0.0.1:{port}/v3", 0, running, command)
        server._start()
        yield server
