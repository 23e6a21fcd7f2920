"""Drivers from real installed distributions: found, refused with the reason, never fatal."""

import pytest

from frame.distributions import GOOD, Site

BODY = GOOD.format(name="Thing", scheme="thing")


def with_method(source):
    """A good driver with one more method, or another one."""
    return f"{BODY}\n    {source}\n"


def without(method):
    """A good driver that lacks a method."""
    before, method, rest = BODY.partition(f"    def {method}(")
    assert method
    return before + "".join(rest.splitlines(keepends=True)[2:])


def saying(attribute):
    """A good driver with another value of a class attribute."""
    return f"{BODY}\n    {attribute}\n"


# By name: the module, and what the entry point names in it.
UNLOADABLE = {
    "exception": ("raise ValueError('no luck today')", "Thing"),
    "systemexit": ("raise SystemExit('that is all')", "Thing"),
    "assertion": ("assert not 'today'", "Thing"),
    "syntax": ("def driver(:", "Thing"),
    "missing-attribute": (BODY, "Thong"),
    "missing-nested-attribute": (BODY, "Thing.inner"),
}

NO_DRIVERS = {
    "function": ("def Thing(store_name, options): pass", "Thing"),
    "class": ("class Thing: schemes = ('thing',)", "Thing"),
    "instance": (f"{BODY}\nthing = Thing('a', Thing.options())", "thing"),
    "module": (BODY, None),
    "number": ("Thing = 5", "Thing"),
    "nothing": ("Thing = None", "Thing"),
}

# Each alone has once been the end of somebody's listing.
NASTY = {
    "cancelled": "import asyncio\nraise asyncio.CancelledError('stop')",
    "interrupted-inside": "class Stop(BaseException): pass\nraise Stop('that far')",
    "silent": "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
    "nameless": "class A: pass\nThing = A()\nThing.__module__ = None",
    "unshowable": "class A:\n    def __repr__(self): raise RuntimeError\nThing = A()",
    "claims-all": "class A:\n    def __getattr__(self, name): raise KeyError\nThing = A()",
}

# By name: the method, and how the error shows it and what it should have been.
DRIFTED = {
    "renamed-argument": (
        "def get_size(self, uri, context=None): return 0",
        "get_size(self, uri, context=None)",
        "get_size(self, location, context=None)",
    ),
    "glance-order": (
        "def get(self, location, offset=0, length=None, context=None): return None",
        "get(self, location, offset=0, length=None, context=None)",
        "get(self, location, offset, length, context=None)",
    ),
    "no-context": (
        "def delete(self, location): pass",
        "delete(self, location)",
        "delete(self, location, context=None)",
    ),
    "one-more": (
        "def get_size(self, location, context=None, deep=False): return 0",
        "get_size(self, location, context=None, deep=False)",
        "get_size(self, location, context=None)",
    ),
    "anything": (
        "def get_size(self, *args, **kwargs): return 0",
        "get_size(self, *args, **kwargs)",
        "get_size(self, location, context=None)",
    ),
    "keyword-only": (
        "def get_size(self, location, *, context=None): return 0",
        "get_size(self, location, *, context=None)",
        "get_size(self, location, context=None)",
    ),
    "positional-only": (
        "def get_size(self, location, /, context=None): return 0",
        "get_size(self, location, /, context=None)",
        "get_size(self, location, context=None)",
    ),
    "other-default": (
        "def get_size(self, location, context=()): return 0",
        "get_size(self, location, context=())",
        "get_size(self, location, context=None)",
    ),
    "constructor": (
        "def __init__(self, options): pass",
        "__init__(self, options)",
        "__init__(self, store_name, options)",
    ),
}

# By name: the module, and a piece of the error.
INVALID = {
    "interface-2": (saying("interface = 2"), "is written for interface 2, this is 1"),
    "interface-text": (saying("interface = '1'"), "interface '1'"),
    "interface-none": (saying("interface = None"), "interface None"),
    "static-verb": (
        with_method("@staticmethod\n    def get_size(self, location, context=None): return 0"),
        "get_size",
    ),
    "class-verb": (
        with_method("@classmethod\n    def get_size(self, location, context=None): return 0"),
        "get_size",
    ),
    "property-verb": (with_method("@property\n    def get_size(self): return 0"), "get_size"),
    "async-verb": (
        with_method("async def get_size(self, location, context=None): return 0"),
        "get_size",
    ),
    "no-verb": (saying("list = None"), "has list, which is no method"),
    "no-get-size": (without("get_size"), "get_size"),
    "claims-get": (without("get"), "no get"),
    "claims-add": (saying("capabilities = Capability.ADD"), "claims ADD and has no add"),
    "claims-delete": (saying("capabilities = Capability.DELETE"), "claims DELETE"),
    "claims-list": (saying("capabilities = Capability.LIST"), "claims LIST and has no list"),
    "claims-acl": (saying("capabilities = Capability.ACL"), "claims ACL and has no set_acls"),
    "claims-capacity": (saying("capabilities = Capability.CAPACITY"), "CAPACITY"),
    "capabilities-number": (saying("capabilities = 7"), "storekit.Capability"),
    "limits-dict": (saying("limits = {'window': 2}"), "storekit.Limits"),
    "options-dict": (saying("options = dict"), "storekit.DriverOptions"),
    "options-instance": (saying("options = Driver.options()"), "storekit.DriverOptions"),
    "no-schemes": (saying("schemes = ()"), "has no schemes"),
    "schemes-none": (saying("schemes = None"), "has no schemes"),
    "schemes-text": (saying("schemes = 'thing'"), "has no schemes"),
    "schemes-list": (saying("schemes = ['thing']"), "has no schemes"),
    "schemes-number": (saying("schemes = (5,)"), "has 5 among its schemes"),
    "schemes-upper": (saying("schemes = ('thing', 'THING')"), "has 'THING' among its schemes"),
    "schemes-colon": (saying("schemes = ('thing:',)"), "has 'thing:' among its schemes"),
    "schemes-digit": (saying("schemes = ('3s',)"), "has '3s' among its schemes"),
    "schemes-space": (saying("schemes = ('a b',)"), "has 'a b' among its schemes"),
    "schemes-empty": (saying("schemes = ('',)"), "has '' among its schemes"),
    "schemes-newline": (saying("schemes = ('thing\\n',)"), "among its schemes"),
    "schemes-digits": (saying("schemes = ('s\\u0663',)"), "among its schemes"),
}
BAD_NAMES = ["Upper", "with space", "dotted.name", "9lives", "-dash", "ünï"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a process sees of all these drivers, every one from a distribution of its own."""
    site = Site(tmp_path_factory.mktemp("broken"))
    modules = {**UNLOADABLE, **NO_DRIVERS}
    modules |= {name: (with_method(case[0]), "Thing") for name, case in DRIFTED.items()}
    modules |= {name: (case[0], "Thing") for name, case in INVALID.items()}
    modules |= dict.fromkeys([*BAD_NAMES, "good", "good_2", "go-od"], (BODY, "Thing"))
    for number, (name, (source, attribute)) in enumerate(modules.items()):
        value = f"module_{number}" + (f":{attribute}" if attribute else "")
        site.install(f"dist-{number}", {name: value}, {f"module_{number}": source})
    site.install("dist-gone", {"missing-module": "never_installed:Thing"}, {})
    site.install("dist-value", {"bad-value": "not a module!"}, {})
    names = [*modules, "missing-module", "bad-value", "never-heard-of"]
    return site.seen(*names)


def refusal(seen, name):
    """How a driver was refused: by ``load_driver`` and in the listing alike."""
    tried = seen["tried"][name]
    assert "loaded" not in tried
    listed = seen["installed"][name]
    assert not listed["loadable"]
    assert listed["reason"] in tried["text"]
    assert listed["hint"] == tried["hint"]
    assert "ConfigurationError" in tried["error"]
    return tried


@pytest.mark.parametrize("name", ["good", "good_2", "go-od"])
def test_a_driver_of_an_installed_distribution_loads(seen, name):
    assert seen["tried"][name] == {"loaded": "Thing"}
    listed = seen["installed"][name]
    assert listed["loadable"]
    assert (listed["reason"], listed["hint"]) == (None, None)
    assert listed["distribution"].startswith("dist-")
    assert listed["version"] == "1.0"


def test_a_driver_that_nobody_offers_is_not_found_and_the_error_names_those_that_are(seen):
    tried = seen["tried"]["never-heard-of"]
    assert tried["error"][0] == "DriverNotFound"
    assert "LookupError" in tried["error"]
    assert "'never-heard-of'" in tried["text"]
    assert "good_2" in tried["hint"]


@pytest.mark.parametrize("name", [*UNLOADABLE, "missing-module", "bad-value"])
def test_a_driver_that_cannot_be_imported_is_listed_with_the_reason(seen, name):
    tried = refusal(seen, name)
    assert tried["error"][0] == "DriverLoadError"
    assert "ImportError" in tried["error"]
    assert repr(name) in tried["text"]


@pytest.mark.parametrize(
    ("name", "cause", "said"),
    [
        ("exception", "ValueError", "no luck today"),
        ("systemexit", "SystemExit", "that is all"),
        ("assertion", "AssertionError", ""),
        ("syntax", "SyntaxError", "module_"),
        ("missing-module", "ModuleNotFoundError", "never_installed"),
        ("missing-attribute", "AttributeError", "Thong"),
    ],
)
def test_the_error_of_the_import_is_told_and_chained(seen, name, cause, said):
    tried = seen["tried"][name]
    assert tried["cause"] == cause
    assert f"{cause}: " in tried["text"]
    assert said in tried["text"]


@pytest.mark.parametrize("name", NO_DRIVERS)
def test_what_is_no_driver_class_is_invalid(seen, name):
    tried = refusal(seen, name)
    assert tried["error"][0] == "DriverInvalid"
    assert "TypeError" in tried["error"]
    assert "storekit.Driver" in tried["text"]


@pytest.mark.parametrize("name", DRIFTED)
def test_a_signature_that_drifted_is_shown_beside_the_one_it_should_be(seen, name):
    _, theirs, ours = DRIFTED[name]
    tried = refusal(seen, name)
    assert tried["error"][0] == "DriverInvalid"
    assert theirs in tried["text"]
    assert ours in tried["text"]


@pytest.mark.parametrize("name", INVALID)
def test_a_driver_that_breaks_the_interface_is_told_how(seen, name):
    tried = refusal(seen, name)
    assert tried["error"][0] == "DriverInvalid"
    assert INVALID[name][1] in tried["text"]
    assert ":Thing" in tried["text"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_driver_name_is_lower_case_letters_digits_and_dashes(seen, name):
    tried = refusal(seen, name)
    assert tried["error"][0] == "DriverInvalid"
    assert "lower case" in tried["text"]
    assert repr(name) in tried["text"]


def test_a_driver_of_another_interface_says_what_to_do(seen):
    assert "version" in seen["tried"]["interface-2"]["hint"]


@pytest.mark.parametrize("name", NASTY)
def test_no_driver_whatever_its_module_does_stops_the_listing(tmp_path, name):
    site = Site(tmp_path)
    site.install("nasty", {name: "nasty:Thing"}, {"nasty": NASTY[name]})
    site.install_good("acme", "crate")
    seen = site.seen(name, "crate")
    assert seen["installed"]["crate"]["loadable"]
    assert seen["installed"][name]["distribution"] == "nasty"
    refusal(seen, name)


def test_a_distribution_that_is_half_removed_does_not_stop_the_listing(tmp_path):
    site = Site(tmp_path)
    site.install("half", {"half": "half:Thing"}, {"half": BODY}, metadata=False)
    site.install("also-half", {"crate": "half:Thing"}, {}, metadata=False)
    site.install_good("acme", "crate")
    seen = site.seen("crate", "half")
    assert seen["installed"]["half"]["name"] == "half"
    assert seen["tried"]["crate"]["error"][0] == "DriverConflict"
    assert "acme" in seen["tried"]["crate"]["text"]
