"""A configuration file becomes stores: what is read, from where, and what is told of mistakes."""

import os
from pathlib import Path

import pytest
from toys.shelf import ShelfDriver

import storekit
from frame.distributions import Site
from storekit import ConfigurationError, Stores
from storekit.config import make_driver


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """The toys, as drivers of an installed distribution."""
    site = Site(tmp_path / "site")
    drivers = {
        "shelf": "toys.shelf:ShelfDriver",
        "depot": "toys.depot:DepotDriver",
        "vault": "frame.vault:VaultDriver",
        "strict": "frame.vault:StrictDriver",
    }
    site.install("toys", drivers, {})
    monkeypatch.syspath_prepend(site.path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user without any configuration."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("STOREKIT_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def stores(tmp_path):
    """Make the stores of a text."""

    def make(text):
        return Stores.from_config(write(tmp_path / "storekit.toml", text))

    return make


def mistake(make, *arguments):
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments)
    return caught.value


def test_a_table_is_a_store_and_its_keys_are_options(stores, tmp_path):
    made = stores(f"""
default = "fast"

[stores.fast]
driver = "shelf"
room = 5000
labels = {{ rack = "7" }}
window = 2
io_timeout = 1.5

[stores.archive]
driver = "depot"
path = "{tmp_path}"
""")
    assert list(made) == ["fast", "archive"]
    assert made.default == "fast"
    assert (made["fast"].driver, made["archive"].driver) == ("shelf", "depot")
    assert made.capacity().total == 5000
    assert made.add("teddy", b"bear").metadata == {"rack": "7"}
    assert made["fast"].limits.window == 2
    assert made["fast"].limits.io_timeout == 1.5
    assert str(made.add("teddy", b"bear", store="archive").location) == f"depot://{tmp_path}/teddy"


def test_one_store_is_its_own_default(stores):
    assert stores('[stores.only]\ndriver = "shelf"').default == "only"


TWO = '[stores.a]\ndriver = "shelf"\n[stores.b]\ndriver = "shelf"\n'


def test_several_stores_without_a_default_are_an_error_that_names_them(stores):
    error = mistake(stores, TWO)
    assert "default" in str(error)
    assert "a, b" in str(error)
    assert "storekit.toml" in str(error)


@pytest.mark.parametrize("default", ['"c"', '""', "5", "true", '["a"]', '{ name = "a" }'])
def test_a_default_that_is_no_store_is_an_error_that_names_those_there_are(stores, default):
    error = mistake(stores, f"default = {default}\n{TWO}")
    assert "a, b" in str(error)


def test_an_unknown_key_at_the_top_is_an_error_that_says_what_goes_there(stores):
    error = mistake(stores, f'default = "a"\ndefualt = "b"\n[store.c]\ndriver = "shelf"\n{TWO}')
    assert "defualt" in str(error)
    assert "store" in error.message.replace("storekit.toml", "")
    assert "[stores.NAME]" in str(error)


@pytest.mark.parametrize(
    "text",
    ["", "[stores]", "stores = 5", 'stores = ["a"]', 'stores.a = "shelf"', "stores.a = 5"],
)
def test_a_configuration_without_a_store_is_an_error(stores, text):
    assert "store" in mistake(stores, text).message


@pytest.mark.parametrize("name", ['""', '"\\n"', '"a\\u0000b"', '"a\\u001bb"'])
def test_a_store_has_a_name_that_can_be_shown(stores, name):
    assert "name" in str(mistake(stores, f'[stores.{name}]\ndriver = "shelf"'))


@pytest.mark.parametrize("text", ["default = ", "[stores.a", "a = 1\na = 2", "\ufeffa = 1"])
def test_what_is_no_toml_is_an_error_that_names_the_file(stores, text):
    error = mistake(stores, text)
    assert "storekit.toml" in str(error)
    assert isinstance(error, ValueError)


def test_a_file_that_is_no_utf8_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes('default = "gr\xfcn"'.encode("latin-1"))
    assert "latin.toml" in str(mistake(Stores.from_config, path))


@pytest.mark.parametrize("name", ["gone.toml", "", "gone/gone.toml", "x" * 300])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path, name):
    error = mistake(Stores.from_config, tmp_path / name)
    assert str(tmp_path / name) in str(error)
    assert isinstance(error.__cause__, OSError)


def test_a_path_that_no_file_can_have_is_a_configuration_error(tmp_path):
    mistake(Stores.from_config, f"{tmp_path}/a\0b.toml")


def test_the_path_may_be_text_or_a_path(tmp_path):
    path = write(tmp_path / "a.toml", '[stores.a]\ndriver = "shelf"')
    assert list(Stores.from_config(str(path))) == ["a"]
    assert list(Stores.from_config(path)) == ["a"]


def test_an_argument_goes_before_the_variable_and_the_variable_before_the_users_own(
    home, monkeypatch, tmp_path
):
    def made(name):
        return write(tmp_path / f"{name}.toml", f'[stores.{name}]\ndriver = "shelf"')

    write(home / ".config/storekit/storekit.toml", made("usual").read_text())
    assert list(Stores.from_config()) == ["usual"]
    write(tmp_path / "xdg/storekit/storekit.toml", made("xdg").read_text())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert list(Stores.from_config()) == ["xdg"]
    monkeypatch.setenv("STOREKIT_CONFIG", str(made("variable")))
    assert list(Stores.from_config()) == ["variable"]
    assert list(Stores.from_config(made("argument"))) == ["argument"]


def test_a_variable_that_names_a_missing_file_is_an_error_not_the_next_best(home, monkeypatch):
    write(home / ".config/storekit/storekit.toml", '[stores.usual]\ndriver = "shelf"')
    monkeypatch.setenv("STOREKIT_CONFIG", "/nowhere/storekit.toml")
    assert "/nowhere/storekit.toml" in str(mistake(Stores.from_config))


def test_an_empty_variable_is_as_good_as_none(home, monkeypatch):
    write(home / ".config/storekit/storekit.toml", '[stores.usual]\ndriver = "shelf"')
    monkeypatch.setenv("STOREKIT_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert list(Stores.from_config()) == ["usual"]


def test_a_relative_xdg_directory_is_ignored_as_its_specification_says(home, monkeypatch):
    write(home / ".config/storekit/storekit.toml", '[stores.usual]\ndriver = "shelf"')
    write(home / "relative/storekit/storekit.toml", '[stores.relative]\ndriver = "shelf"')
    monkeypatch.chdir(home)
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert list(Stores.from_config()) == ["usual"]


def test_a_configuration_that_leads_nowhere_is_an_error_not_the_embedded_store(home):
    usual = home / ".config/storekit/storekit.toml"
    usual.parent.mkdir(parents=True)
    usual.symlink_to("/nowhere/storekit.toml")
    assert "storekit.toml" in str(mistake(Stores.from_config))


def test_a_configuration_directory_that_cannot_be_looked_into_is_a_configuration_error(
    home, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/" + "x" * 300)
    mistake(Stores.from_config)


def test_without_any_configuration_images_are_kept_below_the_users_data_directory(
    home, monkeypatch, tmp_path
):
    with Stores.from_config() as stores:
        assert (list(stores), stores.default) == (["local"], "local")
        assert stores["local"].driver == "filesystem"
        assert list(home.iterdir()) == []
        stored = stores.add("teddy", b"bear")
    assert (home / ".local/share/storekit/images/teddy").read_bytes() == b"bear"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Stores.from_config() as stores:
        other = stores.add("teddy", b"bear")
    assert (tmp_path / "data/storekit/images/teddy").read_bytes() == b"bear"
    assert other.location != stored.location


def test_a_missing_directory_is_not_made_where_a_configuration_names_it(stores, tmp_path):
    made = stores(f'[stores.a]\ndriver = "filesystem"\npath = "{tmp_path}/mnt"')
    assert made["a"].state.startswith("failed: ")
    assert not (tmp_path / "mnt").exists()


def test_a_store_without_a_driver_fails_and_says_what_to_set(stores):
    made = stores("[stores.a]\nroom = 5")
    assert made["a"].state == "failed: no driver is named"
    assert "driver" in mistake(made.capacity).hint


@pytest.mark.parametrize("driver", ["5", '["shelf"]', "true", '{ env = "HOME" }'])
def test_a_driver_that_is_no_name_fails_its_store(stores, driver):
    error = mistake(stores(f"[stores.a]\ndriver = {driver}").capacity)
    assert error.store == "a"
    assert "driver" in error.message


def test_open_store_takes_a_class_or_a_name_and_nothing_else():
    for wrong in (5, None, object, ["shelf"]):
        assert isinstance(mistake(storekit.open_store, wrong), ConfigurationError)


def test_a_class_whose_name_begins_with_an_underscore_is_as_good_as_any():
    class _Private(ShelfDriver):
        pass

    assert storekit.open_store(_Private, name="a").state == "ready"


def test_making_a_driver_does_no_io(tmp_path):
    driver = make_driver("a", {"driver": "depot", "path": str(tmp_path / "nowhere")})
    assert driver.config.path == Path(tmp_path, "nowhere")
    assert os.listdir(tmp_path) == ["site"]
