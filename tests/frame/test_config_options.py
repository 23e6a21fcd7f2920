"""Options and their secrets: resolved, checked, explained, and never shown."""

import logging
import traceback

import pytest
from toys.shelf import ShelfDriver

from frame.vault import StrictDriver, VaultDriver
from storekit import Capability, ConfigurationError, StoreError, Stores, open_store
from storekit.config import make_driver

CANARY = "hunter2-canary-K9fE"
NESTED = "swordfish-canary-Zq71"


def options_of(**options):
    return make_driver("bank", {"driver": VaultDriver, "access_key": "k", **options}).config


def mistake(**options):
    """What is told of wrong options, with the store that has them."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(VaultDriver, name="bank", **{"access_key": "k", **options})
    assert caught.value.store == "bank"
    assert "'bank'" in str(caught.value)
    return caught.value


def test_an_option_may_name_an_environment_variable(monkeypatch):
    monkeypatch.setenv("BANK_KEY", CANARY)
    monkeypatch.setenv("BANK_GUARDS", "3")
    monkeypatch.setenv("BANK_EMPTY", "")
    config = options_of(
        access_key={"env": "BANK_KEY"},
        guards={"env": "BANK_GUARDS"},
        **{"class": {"env": "BANK_EMPTY"}},
    )
    assert config.access_key.get_secret_value() == CANARY
    assert config.guards == 3
    assert config.where == ""


@pytest.mark.parametrize(
    ("held", "value"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b"secret\r\n", "secret"),
        (b" secret \n", " secret "),
        (b"\nsecret", "\nsecret"),
        ("schlüssel\n".encode(), "schlüssel"),
        (b"a\rb\r\nc\n", "a\rb\r\nc"),
        (b"\n", ""),
        (b"", ""),
    ],
)
def test_an_option_may_name_a_file_whose_last_newline_is_dropped(tmp_path, held, value):
    file = tmp_path / "key"
    file.write_bytes(held)
    assert options_of(access_key={"file": str(file)}).access_key.get_secret_value() == value


def test_secrets_are_looked_for_in_tables_too(tmp_path, monkeypatch):
    monkeypatch.setenv("BOX_A", "alpha")
    (tmp_path / "b").write_text("beta\n")
    config = options_of(accounts={"a": {"env": "BOX_A"}, "b": {"file": str(tmp_path / "b")}})
    assert {name: key.get_secret_value() for name, key in config.accounts.items()} == {
        "a": "alpha",
        "b": "beta",
    }


def test_what_an_environment_variable_holds_is_not_resolved_again(monkeypatch, tmp_path):
    monkeypatch.setenv("OUTER", '{ env = "INNER" }')
    monkeypatch.setenv("INNER", "no")
    assert options_of(**{"class": {"env": "OUTER"}}).where == '{ env = "INNER" }'


@pytest.mark.parametrize(
    ("options", "option", "named"),
    [
        ({"access_key": {"env": "NO_SUCH_KEY"}}, "access_key", "NO_SUCH_KEY"),
        ({"access_key": {"file": "/nowhere/key"}}, "access_key", "/nowhere/key"),
        ({"access_key": {"file": "/"}}, "access_key", "/"),
        ({"access_key": {"file": "/a\0b"}}, "access_key", "b"),
        ({"accounts": {"a": {"env": "NO_SUCH_KEY"}}}, "accounts.a", "NO_SUCH_KEY"),
        ({"accounts": {"a": {"file": "/nowhere/key"}}}, "accounts.a", "/nowhere/key"),
        ({"guards": {"env": "NO_SUCH_KEY"}}, "guards", "NO_SUCH_KEY"),
    ],
)
def test_a_secret_that_is_missing_is_named_with_its_store_and_option(options, option, named):
    error = mistake(**options)
    assert option in error.message
    assert named in error.message


def test_a_secret_file_that_is_no_text_is_named_and_not_shown(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(b"\xff" + CANARY.encode())
    error = mistake(access_key={"file": str(file)})
    assert str(file) in error.message
    assert CANARY not in told(error)


@pytest.mark.parametrize(
    "table", [{"env": 5}, {"env": "A", "file": "B"}, {"environment": "A"}, {}, {"env": ["A"]}]
)
def test_a_table_that_is_no_reference_is_no_secret(table):
    assert "access_key" in mistake(access_key=table).message


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("acces_key", "access_key"),
        ("secretkey", "secret_key"),
        ("windows", "window"),
        ("io_time_out", "io_timeout"),
        ("clas", "class"),
    ],
)
def test_an_unknown_option_is_named_with_the_one_that_was_meant(option, meant):
    error = mistake(**{option: CANARY})
    assert option in error.message
    assert f"did you mean {meant}?" in error.hint
    assert CANARY not in told(error)


def test_an_unknown_option_that_resembles_none_gets_the_list_of_those_there_are():
    error = mistake(zzzzz=1)
    assert "zzzzz" in error.message
    for option in ("access_key", "door", "connect_timeout", "insecure", "upload_idle", "class"):
        assert option in error.hint


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("door", "side", ["'front'", "'back'"]),
        ("grade", "wood", ["'iron'", "'steel'"]),
        ("guards", 0, ["1"]),
        ("guards", 10, ["9"]),
        ("guards", "many", ["integer"]),
        ("guards", 1.5, ["integer"]),
        ("insecure", "perhaps", ["boolean"]),
        ("labels", 5, ["dictionary"]),
        ("hosts", "a", ["tuple"]),
        ("connect_timeout", -1, ["0"]),
        ("secret_key", "1234", ["5"]),
    ],
)
def test_a_bad_value_is_named_with_the_option_and_what_is_accepted(option, value, accepted):
    error = mistake(**{option: value})
    assert option in error.message
    for piece in accepted:
        assert piece in str(error)


def test_several_mistakes_are_told_at_once():
    error = mistake(door="side", guards=0, zzzzz=1)
    for option in ("door", "guards", "zzzzz"):
        assert option in error.message


def test_a_missing_option_is_named_with_what_it_is_for():
    with pytest.raises(ConfigurationError) as caught:
        open_store(VaultDriver, name="bank")
    assert "access_key" in caught.value.message
    assert "Who we are." in caught.value.hint


def test_a_missing_option_with_another_name_in_configurations_is_explained_too():
    with pytest.raises(ConfigurationError) as caught:
        open_store(StrictDriver, name="bank")
    assert "class" in caught.value.message
    assert "yield" in caught.value.message
    assert "The class of the place." in caught.value.hint
    assert "When it ends." in caught.value.hint


def told(error):
    """All that a log with a traceback would show of an error."""
    shown = "".join(traceback.format_exception(error))
    return f"{error}{error!r}{error.hint}{error.args}{error.__dict__}{shown}"


WRONG = {
    "too short": {"secret_key": CANARY[:4], "access_key": CANARY},
    "refused by a careless validator": {"picky_key": f"bad-{CANARY}"},
    "a number": {"access_key": [CANARY]},
    "a table": {"access_key": {"key": CANARY}},
    "under the wrong name": {"acces_key": CANARY},
    "in an option that is no secret": {"guards": CANARY},
    "in one with few values": {"door": CANARY},
    "in a table": {"accounts": {"a": [CANARY]}},
    "beside another mistake": {"access_key": CANARY, "zzzzz": 1},
}


@pytest.mark.parametrize("case", WRONG)
def test_no_error_about_options_shows_their_values(case, caplog):
    caplog.set_level(logging.DEBUG)
    stores = Stores({"bank": {"driver": VaultDriver, "access_key": "k", **WRONG[case]}})
    state = stores["bank"].state
    assert state.startswith("failed: ")
    with pytest.raises(ConfigurationError) as caught:
        stores.add("teddy", b"bear")
    for text in (state, told(caught.value), repr(stores), repr(stores["bank"]), caplog.text):
        assert CANARY not in text


def test_an_exception_that_the_checks_of_options_let_through_does_not_show_them_either():
    store = Stores({"bank": {"driver": VaultDriver, "picky_key": f"odd-{CANARY}"}})["bank"]
    assert store.state.startswith("failed: ")
    assert CANARY not in store.state
    with pytest.raises(StoreError) as caught:
        store.add("teddy", b"bear")
    assert CANARY not in without_causes(caught.value)


@pytest.mark.parametrize("how", ["env", "file"])
@pytest.mark.parametrize("option", ["guards", "door", "picky_key"])
def test_no_error_about_a_referred_value_shows_it(how, option, tmp_path, monkeypatch):
    monkeypatch.setenv("BANK_KEY", f"bad-{CANARY}")
    (tmp_path / "key").write_text(f"bad-{CANARY}\n")
    named = {"env": "BANK_KEY", "file": str(tmp_path / "key")}[how]
    error = mistake(**{option: {how: named}})
    assert option in error.message
    assert CANARY not in told(error)


class Leaky(VaultDriver):
    """A driver whose every exception shows its keys, as clients of HTTP services do."""

    def get_size(self, location, context=None):
        raise ValueError(f"GET https://x:{self.config.access_key.get_secret_value()}@bank")

    def delete(self, location, context=None):
        raise StoreError("no", hint=f"use {self.config.accounts['a'].get_secret_value()}")

    def metadata(self, location, context=None):
        raise ValueError(f"bad key {self.config.access_key.get_secret_value()}")

    def close(self):
        raise ValueError(f"logout {self.config.access_key.get_secret_value()}")


class LeakyAtOpen(VaultDriver):
    """A driver that fails to open, and shows why."""

    def open(self):
        raise ValueError(f"login with {self.config.access_key.get_secret_value()} failed")


class LeakyConstructor(VaultDriver):
    """A driver that makes its client too early, and shows why it could not."""

    def __init__(self, store_name, options):
        raise ValueError(f"no client for {options.access_key.get_secret_value()}")


class LeakyReasons(VaultDriver):
    """A driver that opens, and shows too much of what is wrong."""

    def open(self):
        key = self.config.access_key.get_secret_value()
        self.narrow(Capability.ADD, f"{key} may not write")
        self.degraded = f"{key} is about to expire"


KEYS = {"access_key": CANARY, "accounts": {"a": NESTED}}


def without_causes(error):
    """What storekit itself shows of an error; the cause is the backend's own object."""
    return f"{error}{error!r}{error.hint}{error.args}{error.__dict__}"


@pytest.mark.parametrize("verb", ["get_size", "delete", "close"])
def test_a_secret_in_the_exception_of_a_backend_is_blotted_out(verb):
    store = open_store(Leaky, name="bank", **KEYS)
    arguments = [] if verb == "close" else ["vault://bank/teddy"]
    with pytest.raises(StoreError) as caught:
        getattr(store, verb)(*arguments)
    for secret in (CANARY, NESTED):
        assert secret not in without_causes(caught.value)
    assert "***" in str(caught.value)


def test_a_secret_in_a_log_line_of_the_frame_is_blotted_out(caplog):
    caplog.set_level(logging.DEBUG)
    store = open_store(Leaky, name="bank", **KEYS)
    assert store.add("teddy", b"bear").metadata == {}
    assert "metadata" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("driver", [LeakyAtOpen, LeakyConstructor])
def test_a_secret_in_the_reason_of_a_failed_store_is_blotted_out(driver):
    store = Stores({"bank": {"driver": driver, **KEYS}})["bank"]
    for _ in range(2):  # at the first try, and while it waits
        assert store.state.startswith("failed: ")
        assert CANARY not in store.state
        with pytest.raises(StoreError) as caught:
            store.add("teddy", b"bear")
        assert CANARY not in without_causes(caught.value)


def test_a_secret_in_the_reason_of_a_degraded_store_is_blotted_out():
    store = Stores({"bank": {"driver": LeakyReasons, **KEYS}})["bank"]
    assert store.state.startswith("degraded: ")
    assert CANARY not in store.state
    assert CANARY not in repr(store.withdrawn)
    with pytest.raises(StoreError) as caught:
        store.add("teddy", b"bear")
    assert CANARY not in without_causes(caught.value)


def test_an_option_is_not_blotted_out_because_it_is_no_secret():
    store = open_store(ShelfDriver, name="toys")
    with pytest.raises(StoreError, match="shelf://toys/teddy"):
        store.get_size("shelf://toys/teddy")


def test_the_mapping_of_an_embedder_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("BANK_KEY", CANARY)
    given = {"driver": VaultDriver, "access_key": {"env": "BANK_KEY"}, "accounts": {"a": "b"}}
    stores = Stores({"bank": given})
    assert stores["bank"].state == "ready"
    assert given == {
        "driver": VaultDriver,
        "access_key": {"env": "BANK_KEY"},
        "accounts": {"a": "b"},
    }


def test_a_mapping_that_is_changed_afterwards_changes_no_store():
    given = {"toys": {"driver": ShelfDriver, "room": 5}}
    stores = Stores(given)
    given["toys"]["room"] = 7
    given["more"] = {"driver": ShelfDriver}
    assert stores.capacity().total == 5
    assert list(stores) == ["toys"]
