"""Ceph: a cluster of one node: monitor and OSD; on demand the S3 gateway radosgw, and the manager.

Debian's packages of Ceph 16.2. Everything is in a temporary directory, on free loopback ports.
"""

import contextlib
import glob
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from servers.cephx import daemon_keys
from servers.daemons import Daemons, daemons, lacking, path

__all__ = [
    "ACCESS_KEY",
    "PAGE",
    "SECRET_KEY",
    "SWIFT",
    "Ceph",
    "ceph",
    "load_bindings",
    "missing",
]

ACCESS_KEY, SECRET_KEY = "TESTKEY", "TESTSECRET-0123456789"
PAGE = 100  # objects that the S3 gateway lists at once
SWIFT = ("test:swift", "SWIFTSECRET-0123456789")
"""Name and key with which the user of ``ACCESS_KEY`` logs in at ``/auth/v1.0`` of the gateway."""

_PROGRAMS = {"ceph-mon": "ceph-mon", "ceph-osd": "ceph-osd", "monmaptool": "ceph-common"}
_GATEWAY = {"radosgw": "radosgw", "radosgw-admin": "ceph-common"}
_MANAGER = {"ceph-mgr": "ceph-mgr"}
_BINDINGS = "/usr/lib/python3/dist-packages"
_WHOM = ("cluster", "service", "client")
_BOTH = ("rados", "rbd")  # in this order: rbd needs rados
# A placement group has a lease of 20 s times osd_pool_default_read_lease_ratio. A request that
# waits for an OSD which was stopped for longer can leave the group of a single OSD "laggy" for ever
# (https://github.com/ceph/ceph/pull/71663).
_CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon_port}]
ms_bind_msgr1 = false
ms_bind_ipv6 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = false
keyring = /dev/null
run_dir = {dir}
admin_socket =
pid_file =
log_file = {dir}/$name.log
mon_cluster_log_file = {dir}/cluster.log
crash_dir = {dir}/crash
log_to_stderr = false
err_to_stderr = false
mon_data = {dir}/mon.$id
osd_data = {dir}/osd.$id
rgw_data = {dir}/rgw
mgr_data = {dir}/mgr.$id
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 1000
mon_warn_on_pool_no_redundancy = false
mon_data_avail_warn = 1
mon_data_avail_crit = 0
mon_mgr_mkfs_grace = 1000000000
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
bdev_aio_poll_ms = 10
objecter_timeout = 1
objecter_tick_interval = 0.5
bluestore_fsck_on_mkfs = false
osd_objectstore = {store}
memstore_device_bytes = {size}
bluestore_block_size = {size}
osd_memory_target = 939524096
osd_op_thread_timeout = 3600
osd_op_thread_suicide_timeout = 36000
osd_pool_default_read_lease_ratio = 100
rbd_default_clone_format = 2
[osd]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
[mgr]
public_addr = 127.0.0.1
mgr_module_path = {dir}/no-modules
mgr_stats_period = 1
[client]
client_mount_timeout = 10
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{rgw_port}
ms_mon_client_mode = crc
rgw_run_sync_thread = false
rgw_thread_pool_size = 32
rgw_enable_usage_log = false
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 2
rgw_max_listing_results = {page}
"""


class Ceph:
    """A running cluster. Made by ``ceph``."""

    endpoint: str
    """The URL of its S3 gateway, where it has one."""

    def __init__(
        self, running: Daemons, store: str, size: int, settings: Mapping[str, object], *, keys: bool
    ) -> None:
        self.conf = running.directory / "ceph.conf"
        self._keys: tuple[object, ...] = ()
        if keys:
            (keyring := self.conf.with_name("keyring")).write_text(daemon_keys())
            self._keys = ("--keyring", keyring)
            required = {f"auth_{whom}_required": "cephx" for whom in _WHOM}
            settings = {**settings, **required, "keyring": keyring}
        self._running = running
        self._mon_port, self._rgw_port = running.ports(2)
        self.fsid = str(uuid.uuid4())
        self.conf.write_text(
            _CONFIGURATION.format(
                dir=running.directory,
                fsid=self.fsid,
                mon_port=self._mon_port,
                rgw_port=self._rgw_port,
                store=store,
                size=size,
                page=PAGE,
            )
            + "".join(["[global]\n", *(f"{name} = {settings[name]}\n" for name in settings)])
        )

    def start(self) -> None:
        """Make the cluster, and start it."""
        osd, monmap = str(uuid.uuid4()), self.conf.with_name("monmap")
        for name in ("mon.a", "osd.0", "mgr.x", "no-modules"):
            (self.conf.parent / name).mkdir()
        address = f"[v2:127.0.0.1:{self._mon_port}]"
        new = ("--create", "--fsid", self.fsid, "--set-min-mon-release", "pacific")
        self._run("monmaptool", *new, "--addv", "a", address, monmap)
        self._run("ceph-mon", "-i", "a", "-c", self.conf, "--mkfs", "--monmap", monmap, *self._keys)
        self.start_monitor()
        self._run(
            *("ceph-osd", "-i", "0", "-c", self.conf, "--mkfs", "--osd-uuid", osd),
            "--no-mon-config",
        )
        self.ask("osd new", uuid=osd)
        self.start_osd()
        self.ask("osd set-require-min-compat-client", version="mimic")

    def start_monitor(self) -> None:
        """Start the monitor, also after it was killed."""
        self._start("mon.a", "ceph-mon", "-i", "a")

    def start_osd(self) -> None:
        """Start the OSD, also after it was killed; with ``memstore`` it has lost its objects."""
        before = self._osd()["up_from"]
        self._start("osd.0", "ceph-osd", "-i", "0")
        self._running.wait_until("osd.0", lambda: self._osd()["up_from"] > before)

    def start_manager(self) -> None:
        """Start the manager, without which what is used and free is told as zero."""
        self._start("mgr.x", "ceph-mgr", "-i", "x")
        self._running.wait_until("mgr.x", lambda: self.ask("mgr stat")["available"])

    def make_pool(self, name: str) -> None:
        """Make a pool for images of rbd.

        Args:
            name: The name.
        """
        rados, rbd = load_bindings()
        self.ask("osd pool create", pool=name, pg_num=4)
        self.ask("osd pool application enable", pool=name, app="rbd")
        with rados.Rados(conffile=str(self.conf)) as cluster, cluster.open_ioctx(name) as pool:
            rbd.RBD().pool_init(pool, force=False)  # returns once the pool takes writes

    def make_user(self, name: str, **caps: str) -> Path:
        """Make a user of a cluster that asks for keys.

        Args:
            name: The name, without the ``client.`` before it.
            **caps: What it may, by the kind of daemon: ``mon``, ``osd``, ``mgr``.

        Returns:
            Its keyring.
        """
        words = [word for pair in caps.items() for word in pair]
        (user,) = self.ask("auth get-or-create", entity=f"client.{name}", caps=words)
        keyring = self.conf.with_name(f"{name}.keyring")
        keyring.write_text(f"[client.{name}]\nkey = {user['key']}\n")
        return keyring

    def start_gateway(self) -> None:
        """Start radosgw, and make the user of ``ACCESS_KEY`` and ``SWIFT``."""
        self.endpoint = f"http://127.0.0.1:{self._rgw_port}"
        self._start("radosgw", "radosgw", "-n", "client.rgw")
        self._running.wait_until("radosgw", self._gateway_answers)
        self.add_user("test", ACCESS_KEY, SECRET_KEY)
        self.add_subuser(*SWIFT)

    def restart_gateway(self) -> None:
        """Kill radosgw, and start it again."""
        self._running.signal("radosgw", 9)
        self._start("radosgw", "radosgw", "-n", "client.rgw")
        self._running.wait_until("radosgw", self._gateway_answers)

    def signal(self, name: str, number: int) -> None:
        """Send a daemon a signal.

        Args:
            name: ``mon.a``, ``osd.0``, ``mgr.x`` or ``radosgw``.
            number: The signal.
        """
        self._running.signal(name, number)

    def add_user(self, name: str, access_key: str, secret_key: str) -> None:
        """Make one more user of the S3 gateway.

        Args:
            name: The name.
            access_key: The access key.
            secret_key: The secret key.
        """
        keys = (f"--access-key={access_key}", f"--secret-key={secret_key}")
        named = (f"--uid={name}", f"--display-name={name}")
        self._run("radosgw-admin", "-c", self.conf, "user", "create", *named, *keys)

    def add_subuser(self, name: str, key: str, access: str = "full") -> None:
        """Make one more login for Swift's API of the gateway.

        Args:
            name: The name of a user, a colon, and one of its own.
            key: The key.
            access: What it may do with what the user has: ``read``, ``full``, ...
        """
        named = (f"--uid={name.partition(':')[0]}", f"--subuser={name}", f"--access={access}")
        keys = ("--key-type=swift", f"--secret-key={key}")
        self._run("radosgw-admin", "-c", self.conf, "subuser", "create", *named, *keys)

    def revoke(self, name: str, access_key: str) -> None:
        """Take a key from a user of the S3 gateway.

        Args:
            name: The user's name.
            access_key: The access key.
        """
        named = (f"--uid={name}", "--key-type=s3", f"--access-key={access_key}")
        self._run("radosgw-admin", "-c", self.conf, "key", "rm", *named)

    def add_key(self, name: str, access_key: str, secret_key: str) -> None:
        """Give a user of the S3 gateway one more key.

        Args:
            name: The user's name.
            access_key: The access key.
            secret_key: The secret key.
        """
        keys = (f"--access-key={access_key}", f"--secret-key={secret_key}")
        named = (f"--uid={name}", "--key-type=s3")
        self._run("radosgw-admin", "-c", self.conf, "key", "create", *named, *keys)

    def gc(self) -> None:
        """Delete the data of deleted objects now, which the S3 gateway else does seconds later."""
        self._run("radosgw-admin", "-c", self.conf, "gc", "process", "--include-all")

    def ask(self, prefix: str, **parameters: object) -> Any:
        """Ask the monitor, as the command ``ceph`` does.

        Args:
            prefix: The command.
            **parameters: What it takes.
        """
        command = json.dumps({**parameters, "prefix": prefix, "format": "json"})
        rados, _ = load_bindings()
        # Connected no longer than this: the kit counts the sockets of the process.
        with rados.Rados(conffile=str(self.conf)) as cluster:
            code, out, message = cluster.mon_command(command, b"")
        if code:
            raise RuntimeError(f"{prefix}: {code} {message}")
        return json.loads(out) if out.strip() else None

    def _osd(self) -> Any:
        return self.ask("osd dump")["osds"][0]

    def _gateway_answers(self) -> bool:
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with no_proxy.open(self.endpoint, timeout=5) as answer:
            return bool(answer.read())

    def _start(self, name: str, *command: object) -> None:
        self._running.start(name, (*command, "-f", "-c", self.conf), CEPH_CONF=str(self.conf))

    def _run(self, *command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=False, env={"PATH": path()}
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")


def missing(*, gateway: bool = False, manager: bool = False) -> str | None:
    """Say what the machine lacks to run it; None where it lacks nothing.

    Args:
        gateway: Whether radosgw is wanted too.
        manager: Whether the manager is wanted too.
    """
    wanted = _PROGRAMS | (_GATEWAY if gateway else {}) | (_MANAGER if manager else {})
    absent = lacking(wanted)
    if absent is None and not _extension("rados"):
        tag = ".".join(map(str, sys.version_info[:2]))
        return f"no rados for Python {tag} (Debian: python3-rados, python3-rbd, for Python 3.11)"
    return absent


@contextlib.contextmanager
def ceph(
    *,
    gateway: bool = False,
    store: str = "memstore",
    size: int = 4 << 30,
    settings: Mapping[str, object] | None = None,
    keys: bool = False,
) -> Iterator[Ceph]:
    """Run a cluster.

    Args:
        gateway: Whether to start radosgw too.
        store: ``memstore`` holds everything in memory, twice, and loses it when the OSD ends;
            ``bluestore`` keeps it in a file.
        size: Bytes that it holds.
        settings: More of its configuration, for all daemons and clients.
        keys: Whether it asks for keys, as in production: cephx.
    """
    with daemons("ceph") as running:
        cluster = Ceph(running, store, size, settings or {}, keys=keys)
        cluster.start()
        if gateway:
            cluster.start_gateway()
        yield cluster


def load_bindings() -> tuple[ModuleType, ModuleType]:
    """Import Debian's rados and rbd, which no virtual environment sees.

    Returns:
        Both modules.
    """
    for name in _BOTH:
        if name not in sys.modules:
            (file,) = _extension(name)
            loader = importlib.machinery.ExtensionFileLoader(name, file)
            spec = importlib.util.spec_from_file_location(name, file, loader=loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            loader.exec_module(module)
    return sys.modules["rados"], sys.modules["rbd"]


def _extension(name: str) -> list[str]:
    return glob.glob(f"{_BINDINGS}/{name}.cpython-{''.join(map(str, sys.version_info[:2]))}-*.so")
