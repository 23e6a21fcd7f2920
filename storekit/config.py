"""Configuration: a TOML file, and secrets outside it, to the drivers of a set of stores."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storekit.errors import ConfigurationError, DriverInvalid, StoreError, from_exception
from storekit.loader import check_driver, load_driver
from storekit.secrecy import blot

if TYPE_CHECKING:
    from storekit.driver import Driver, DriverOptions

__all__ = ["Configuration", "make_driver", "read_configuration"]

_NO_CONFIGURATION = {"local": {"driver": "filesystem", "create": True}}


@dataclass(frozen=True)
class Configuration:
    """Which stores there are, before any of them is made."""

    stores: Mapping[str, Mapping[str, object]]
    """The options of each store by its name, its driver under ``driver``; secrets unresolved."""
    default: str
    """The store that is used when none is named."""

    @classmethod
    def of(cls, stores: object, default: object = None) -> Configuration:
        """Check what an embedder or a file gave.

        Args:
            stores: A mapping of store names to options.
            default: The default store; needed where there are several.

        Raises:
            ConfigurationError: It is no such mapping, or the default is missing or unknown.
        """
        if not isinstance(stores, Mapping) or not stores:
            raise ConfigurationError(
                "no store is configured", hint="a store is a table [stores.NAME] with a driver"
            )
        for name, options in stores.items():
            if not isinstance(name, str) or not name or not name.isprintable():
                raise ConfigurationError(f"{name!r} cannot be the name of a store")
            if not isinstance(options, Mapping):
                raise ConfigurationError(f"store {name!r} is no table of options")
        if default is None and len(stores) == 1:
            default = next(iter(stores))
        if not isinstance(default, str) or default not in stores:
            known = ", ".join(stores)
            what = "no default store is named" if default is None else f"no store {default!r}"
            raise ConfigurationError(what, hint=f"set default to one of {known}")
        return cls({name: dict(options) for name, options in stores.items()}, default)


def read_configuration(path: str | os.PathLike[str] | None = None) -> Configuration:
    """Read a configuration file.

    Args:
        path: The file. None: the one that ``STOREKIT_CONFIG`` names, else ``storekit.toml`` in the
            user's configuration directory, else one store ``local`` in the user's data directory.

    Raises:
        ConfigurationError: It cannot be read, or is wrong.
    """
    file = _chosen(path)
    if file is None:
        data = _user_directory("XDG_DATA_HOME", ".local/share") / "images"
        local = {**_NO_CONFIGURATION["local"], "path": str(data)}
        return Configuration.of({"local": local})
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigurationError(f"{file}: {error}") from error
    unknown = document.keys() - {"default", "stores"}
    if unknown:
        raise ConfigurationError(
            f"{file}: unknown {', '.join(sorted(unknown))}",
            hint="at the top are default and the tables [stores.NAME]",
        )
    try:
        return Configuration.of(document.get("stores"), document.get("default"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}", hint=error.hint) from None


def make_driver(store: str, options: Mapping[str, object]) -> Driver:
    """Make the driver of one store. No I/O but the reading of secrets.

    Args:
        store: The store's name.
        options: Its options, the driver's name or class under ``driver``.

    Raises:
        ConfigurationError: The driver cannot be loaded, or an option is wrong: says which, and
            what is accepted.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - loaded with the first driver

    given = dict(options)
    kind = given.pop("driver", None)
    if kind is None:
        raise ConfigurationError("no driver is named", store=store, hint='set driver = "NAME"')
    if isinstance(kind, type):
        driver = check_driver(driver_name(kind), kind, f"{kind.__module__}:{kind.__qualname__}")
    elif isinstance(kind, str):
        driver = load_driver(kind)
    else:
        raise ConfigurationError(f"driver is {kind!r}, not a name", store=store)
    values: dict[str, Any] = {key: _resolved(store, key, value) for key, value in given.items()}
    try:
        return _constructed(driver, store, driver.options(**values))
    except ValidationError as error:
        failure: StoreError = _explained(store, driver, values, error)
    except Exception as error:  # noqa: BLE001 - a driver's own checks: anything
        failure = from_exception(error)
    # The driver's own checks may quote the value that they refuse.
    failure.message = blot(failure.message, _hidden(driver, given, values))
    failure.args = (failure.message,)
    raise failure from None


def _constructed(driver: type[Driver], store: str, options: DriverOptions) -> Driver:
    made = driver(store, options)
    if "config" not in vars(made):
        raise DriverInvalid("its __init__ does not call the one of Driver", store=store)
    return made


def driver_name(driver: object) -> str:
    """Tell how a driver is called in messages.

    Args:
        driver: Its name, or its class.
    """
    if isinstance(driver, type):
        return driver.__name__.removesuffix("Driver").lower() or "driver"
    return driver if isinstance(driver, str) else "?"


def _chosen(path: str | os.PathLike[str] | None) -> Path | None:
    named = path if path is not None else os.environ.get("STOREKIT_CONFIG") or None
    if named is not None:
        return Path(named)
    usual = _user_directory("XDG_CONFIG_HOME", ".config") / "storekit.toml"
    try:
        usual.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{usual}: {error.strerror}") from error
    return usual


def _user_directory(variable: str, fallback: str) -> Path:
    """Give storekit's directory by the XDG base directory specification."""
    base = os.environ.get(variable, "")
    try:
        return (Path(base) if base.startswith("/") else Path.home() / fallback) / "storekit"
    except RuntimeError as error:
        raise ConfigurationError(
            "the user has no home directory", hint=f"set {variable}, or name a configuration"
        ) from error


def _resolved(store: str, option: str, value: object) -> object:
    """Replace ``{ env = .. }`` and ``{ file = .. }``, in a table too, by what they name."""
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((kind, name),) = value.items()
        if kind == "env" and isinstance(name, str):
            if name in os.environ:
                return os.environ[name]
            raise ConfigurationError(
                f"option {option}: the environment has no {name}",
                store=store,
                hint=f"set {name}, or name another variable",
            )
        if kind == "file" and isinstance(name, str):
            return _secret_of(store, option, name)
    return {key: _resolved(store, f"{option}.{key}", item) for key, item in value.items()}


def _secret_of(store: str, option: str, name: str) -> str:
    try:
        text = Path(name).read_bytes().decode()  # read_text would change line ends
    except OSError as error:
        raise ConfigurationError(
            f"option {option}: {name}: {error.strerror}", store=store, hint="it holds the value"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"option {option}: {name} is not text", store=store) from error
    return text.removesuffix("\n").removesuffix("\r")


def _accepted(driver: type[Driver]) -> dict[str, Any]:
    """Give the fields of the options by the names that a configuration uses."""
    return {
        next(
            (alias for alias in (field.validation_alias, field.alias) if isinstance(alias, str)),
            name,
        ): field
        for name, field in driver.options.model_fields.items()
    }


def _hidden(
    driver: type[Driver], given: Mapping[str, object], values: Mapping[str, object]
) -> set[str]:
    """Collect the texts that no message may show: secret options, and what a reference named."""
    hidden: set[str] = set()
    accepted = _accepted(driver)
    for name, value in values.items():
        secret = name in accepted and "Secret" in repr(accepted[name].annotation)
        if secret or value != given[name]:
            hidden.update(_texts(value))
    return hidden


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _explained(
    store: str,
    driver: type[Driver],
    given: Mapping[str, object],
    error: Any,  # noqa: ANN401 - pydantic's error
) -> ConfigurationError:
    accepted = _accepted(driver)
    problems, hints = [], []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        first = str(problem["loc"][0]) if problem["loc"] else ""
        # Behind the option's name come keys and places, and pydantic's own names of types.
        path = [str(part) for part in problem["loc"] if re.fullmatch(r"[\w.-]+", str(part))]
        option = f"option {'.'.join(path)}" if path else ""
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown {option}")
            close = difflib.get_close_matches(first, accepted, n=1)
            hints.append(
                f"did you mean {close[0]}?" if close else f"accepted are {', '.join(accepted)}"
            )
            continue
        said = problem["msg"].removeprefix("Value error, ")
        what = f"{option} is missing" if problem["type"] == "missing" else f"{option}: {said}"
        problems.append(what.removeprefix(": "))
        if first in accepted and accepted[first].description:
            hints.append(f"{first}: {accepted[first].description}")
        if isinstance(given.get(first), Mapping):
            hints.append("a value from elsewhere is { env = .. } or { file = .. }")
    return ConfigurationError(
        "; ".join(dict.fromkeys(problems)), store=store, hint=" ".join(dict.fromkeys(hints)) or None
    )
