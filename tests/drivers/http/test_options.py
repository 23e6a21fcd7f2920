"""What an operator may say, and what is refused at once."""

import subprocess
import sys

import pytest

import storekit
from storekit import ConfigurationError, Limits
from storekit.drivers.http import HttpDriver, Options


def test_nothing_need_be_said():
    store = storekit.open_store("http")
    assert store.state == "ready"
    assert store.limits == Limits()
    store.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"allow_networks": ["10.0.0.1/8"]}, "allow_networks"),
        ({"allow_networks": ["name"]}, "allow_networks"),
        ({"allow_networks": ["10.0.0.0/33"]}, "allow_networks"),
        ({"allow_hosts": ["*.example"]}, "allow_hosts"),
        ({"allow_hosts": ["http://h"]}, "allow_hosts"),
        ({"allow_hosts": ["h:80"]}, "allow_hosts"),
        ({"allow_hosts": [""]}, "allow_hosts"),
        ({"max_redirects": -1}, "max_redirects"),
        ({"max_redirects": 1.5}, "max_redirects"),
        ({"io_timeout": 0}, "io_timeout"),
        ({"proxy": "http://proxy"}, "proxy"),
    ],
)
def test_a_bad_option_is_named(options, named):
    with pytest.raises(ConfigurationError, match=named):
        storekit.open_store("http", **options)


def test_hosts_are_kept_in_the_form_in_which_they_are_compared():
    options = Options(allow_hosts=["A.Example.", "b\u00fccher.example", "0x7f.1", "[::1]", "::0:2"])
    assert options.allow_hosts == (
        "a.example",
        "xn--bcher-kva.example",
        "127.0.0.1",
        "::1",
        "::2",
    )


def test_the_password_is_no_text():
    options = Options(allow_hosts=["h"], username="u", password="canary")
    assert "canary" not in repr(options)
    assert "canary" not in str(options)
    assert "canary" not in repr(HttpDriver("web", options))


def test_every_option_is_described():
    assert all(field.description for field in Options.model_fields.values())


@pytest.mark.parametrize("location", HttpDriver.example_locations)
def test_the_example_locations_are_owned_and_survive_the_round_trip(location):
    driver = HttpDriver("web", Options())
    parsed = storekit.Location(location)
    assert driver.owns(parsed)
    assert str(parsed) == location


def test_two_stores_share_nothing():
    one = HttpDriver("one", Options(allow_hosts=["10.0.0.1"], io_timeout=3))
    two = HttpDriver("two", Options())
    inner = storekit.Location("http://10.0.0.1/a")
    assert one.owns(inner)
    with pytest.raises(storekit.InvalidLocation):
        two.owns(inner)
    assert (one.limits.io_timeout, two.limits.io_timeout) == (3, Limits().io_timeout)


def test_the_store_that_may_read_an_address_is_found_among_several():
    stores = storekit.Stores(
        {
            "inner": {"driver": "http", "allow_networks": ["10.0.0.0/8"], "connect_timeout": 0.01},
            "public": {"driver": "http"},
        },
        default="public",
    )
    with stores:
        with pytest.raises(storekit.InvalidArgument, match="inner, public"):
            stores.get_size("http://images.example/a")
        assert stores.owner("http://10.0.0.1/a").name == "inner"
        with pytest.raises(storekit.InvalidLocation):
            stores.get_size("http://192.168.0.1/a")


def test_importing_the_driver_opens_nothing():
    code = """
import os, threading, logging
before = len(os.listdir("/proc/self/fd"))
level = logging.getLogger().level, list(logging.getLogger().handlers)
import storekit.drivers.http
assert len(os.listdir("/proc/self/fd")) == before
assert threading.active_count() == 1
assert level == (logging.getLogger().level, list(logging.getLogger().handlers))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_its_library_the_driver_names_the_extra(tmp_path):
    (tmp_path / "requests.py").write_text("raise ImportError('no requests here')\n")
    code = """
import storekit
found = {driver.name: driver for driver in storekit.drivers_installed()}["http"]
assert not found.loadable
try:
    storekit.open_store("http")
except storekit.DriverLoadError as error:
    print(error, found.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert done.stdout.count("storekit[http]") == 2
