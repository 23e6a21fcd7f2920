"""Driver and DriverOptions: what the author of a backend builds on."""

import ast
import importlib
import inspect
import pkgutil
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from pydantic import ValidationError
from toys.shelf import ShelfDriver, ShelfOptions

import storekit
from storekit import Capability, ConfigurationError, Driver, DriverOptions, Limits, Unsupported

# The interface. A line that changes here breaks every driver that somebody else wrote.
INTERFACE = {
    "open": "(self)",
    "close": "(self)",
    "owns": "(self, location)",
    "image_id": "(self, location)",
    "translate": "(self, error, operation)",
    "add": "(self, image_id, source, context=None)",
    "get": "(self, location, offset, length, context=None)",
    "get_size": "(self, location, context=None)",
    "delete": "(self, location, context=None)",
    "metadata": "(self, location, context=None)",
    "list": "(self, context=None)",
    "leftovers": "(self, older_than, context=None)",
    "reclaim": "(self, leftover, context=None)",
    "set_acls": "(self, location, public, read, write, context=None)",
    "capacity": "(self, context=None)",
    "copy_from": "(self, other, location, image_id, context=None)",
    "narrow": "(self, capability, reason)",
    "limit": "(self, **values)",
}

LIMITS = {
    "read_chunk",
    "write_chunk",
    "part_size",
    "max_parts",
    "window",
    "max_image_size",
    "max_id_length",
    "max_connections",
    "connect_timeout",
    "io_timeout",
    "max_attempts",
}
COMMON = ["connect_timeout", "io_timeout", "max_attempts", "ca_file", "insecure"]
COMMON += ["part_size", "window", "upload_idle"]


def bare(function):
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def test_the_interface_is_exactly_this():
    methods = {
        name: bare(value)
        for name, value in vars(Driver).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert methods == INTERFACE
    assert bare(Driver.__init__) == "(self, store_name, options)"
    assert Driver.interface == 1


def test_what_a_driver_does_not_have_is_unsupported():
    driver = Driver("toys", DriverOptions())
    arguments = {name: signature.count(",") for name, signature in INTERFACE.items()}
    for verb in ("add", "get", "get_size", "delete", "list", "reclaim", "set_acls", "capacity"):
        needed = arguments[verb] - (1 if "context=None" in INTERFACE[verb] else 0)
        with pytest.raises(Unsupported, match=f"no {verb}"):
            getattr(driver, verb)(*[None] * needed)
    assert Driver.capabilities == Capability(0)
    assert list(driver.leftovers(None)) == []
    assert driver.metadata(None) == {}
    assert driver.copy_from(driver, None, "teddy") is None
    assert driver.translate(OSError(), "get") is None
    assert driver.open() is driver.close() is driver.close() is None


def test_the_limits_are_these_and_an_option_of_the_same_name_exists_for_each():
    assert {field.name for field in fields(Limits)} == LIMITS
    assert set(DriverOptions.model_fields) == LIMITS | {"ca_file", "insecure", "upload_idle"}
    assert set(COMMON) <= set(DriverOptions.model_fields)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_an_option_is_laid_over_the_drivers_limit(name):
    class Fixed(ShelfDriver):
        limits = Limits(**{name: 7})

    assert getattr(Fixed("toys", ShelfOptions()).limits, name) == 7
    tuned = Fixed("toys", ShelfOptions(**{name: 5}))
    assert getattr(tuned.limits, name) == 5
    others = {field for field in LIMITS if getattr(tuned.limits, field) != getattr(Limits(), field)}
    assert others == {name}
    assert getattr(Fixed.limits, name) == 7
    assert getattr(Driver.limits, name) == getattr(Limits(), name)


def test_an_option_with_a_default_of_the_drivers_own_is_laid_over_too():
    class Options(ShelfOptions):
        window: int = 2

    class Narrow(ShelfDriver):
        options = Options

    assert Narrow("toys", Options()).limits.window == 2
    assert Narrow("toys", Options(window=3)).limits.window == 3


def test_limits_may_be_set_while_opening_for_that_store_alone():
    one, other = (ShelfDriver(name, ShelfOptions()) for name in ("one", "other"))
    one.limit(part_size=1000, io_timeout=0.5)
    assert (one.limits.part_size, one.limits.io_timeout) == (1000, 0.5)
    assert one.limits.window == other.limits.window
    assert other.limits == ShelfDriver.limits
    for wrong in ({"part_size": 0}, {"part_size": 1.5}, {"window": True}, {"io_timeout": "1"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            one.limit(**wrong)
    with pytest.raises(TypeError):
        one.limit(no_such_limit=1)
    assert one.limits.part_size == 1000


def test_capabilities_are_withdrawn_from_that_store_alone():
    one, other = (ShelfDriver(name, ShelfOptions()) for name in ("one", "other"))
    one.narrow(Capability.ADD | Capability.DELETE, "read only")
    one.narrow(Capability.LIST, "too slow")
    assert one.capabilities == ShelfDriver.capabilities & ~(
        Capability.ADD | Capability.DELETE | Capability.LIST
    )
    assert one.withdrawn == {
        Capability.ADD: "read only",
        Capability.DELETE: "read only",
        Capability.LIST: "too slow",
    }
    assert other.capabilities == ShelfDriver.capabilities
    assert other.withdrawn == {}


NUMBERS = sorted(LIMITS | {"upload_idle"})
WHOLE = sorted(LIMITS - {"connect_timeout", "io_timeout"})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), True, False, "many", [1], ""])
def test_a_common_option_is_a_number_that_makes_sense(name, value):
    with pytest.raises(ValidationError) as caught:
        DriverOptions(**{name: value})
    assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_limit_is_more_than_nothing(name):
    with pytest.raises(ValidationError):
        DriverOptions(**{name: 0})
    assert getattr(DriverOptions(**{name: 1}), name) == 1


@pytest.mark.parametrize("name", WHOLE)
def test_a_count_is_whole(name):
    with pytest.raises(ValidationError):
        DriverOptions(**{name: 1.5})


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_come_as_text_from_the_environment(name):
    assert getattr(DriverOptions(**{name: "17"}), name) == 17


def test_an_upload_may_be_idle_for_no_time_at_all():
    assert DriverOptions(upload_idle=0).upload_idle == 0
    assert DriverOptions().upload_idle == 3600


def test_no_image_id_may_be_longer_than_the_frame_takes():
    assert DriverOptions(max_id_length=255).max_id_length == 255
    with pytest.raises(ValidationError):
        DriverOptions(max_id_length=256)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("0", False)])
def test_a_switch_may_come_as_text_from_the_environment(text, value):
    assert DriverOptions(insecure=text).insecure is value


def test_certificates_are_verified_unless_the_operator_says_otherwise():
    assert DriverOptions().insecure is False
    assert DriverOptions().ca_file is None


def test_options_and_limits_cannot_be_changed_afterwards():
    options = DriverOptions()
    with pytest.raises(ValidationError):
        options.window = 3
    with pytest.raises(FrozenInstanceError):
        Limits().window = 3
    driver = ShelfDriver("toys", ShelfOptions())
    with pytest.raises(ValidationError):
        driver.config.room = 3


def test_what_was_given_for_an_option_is_not_in_the_error_about_it():
    with pytest.raises(ValidationError) as caught:
        DriverOptions(window="hunter2", no_such="hunter2")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


def test_a_default_of_an_author_is_checked_as_well():
    class Options(ShelfOptions):
        window: int = -5

    class Wrong(ShelfDriver):
        options = Options

    with pytest.raises((ValidationError, ConfigurationError), match="window"):
        Wrong("toys", Options())


@pytest.mark.parametrize("name", sorted(DriverOptions.model_fields))
def test_every_common_option_says_what_it_is(name):
    assert DriverOptions.model_fields[name].description


FRAME = sorted(
    module.name
    for module in pkgutil.iter_modules(storekit.__path__)
    if not module.ispkg and not module.name.startswith("_")
)


def public_members(owner):
    for name, value in vars(owner).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


@pytest.mark.parametrize("module", FRAME)
def test_every_public_name_has_a_docstring(module):
    found = importlib.import_module(f"storekit.{module}")
    assert found.__doc__
    silent = []
    for name in found.__all__:
        value = getattr(found, name)
        if inspect.isclass(value):
            named = [(name, value), *public_members(value)]
        else:
            named = [(name, value)] if inspect.isfunction(value) else []
        silent += [f"{name}.{member}" for member, what in named if not inspect.getdoc(what)]
    assert silent == []


@pytest.mark.parametrize("module", FRAME)
def test_every_public_attribute_has_a_docstring_below_it(module):
    found = importlib.import_module(f"storekit.{module}")
    tree = ast.parse(Path(found.__file__).read_text(encoding="utf-8"))
    silent = []
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef) or owner.name not in found.__all__:
            continue
        if any(getattr(base, "id", "") == "BaseModel" for base in owner.bases):
            continue  # its fields have descriptions
        for node, after in zip(owner.body, [*owner.body[1:], None], strict=True):
            name = getattr(getattr(node, "target", None), "id", "_")
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(node, ast.AnnAssign) and not name.startswith("_") and not documented:
                silent.append(f"{owner.name}.{name}")
    assert silent == []
