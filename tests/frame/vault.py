"""A shelf with options of every kind, secret ones among them."""

import enum
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from toys.shelf import ShelfDriver, ShelfOptions


class Grade(enum.Enum):
    """How well it is locked."""

    IRON = "iron"
    STEEL = "steel"


class VaultOptions(ShelfOptions):
    """Options of a vault."""

    access_key: SecretStr = Field(description="Who we are.")
    secret_key: SecretStr = Field(SecretStr("unset"), min_length=5, description="The proof.")
    picky_key: SecretStr = Field(SecretStr("unset"), description="A key that is looked at.")
    door: Literal["front", "back"] = Field("front", description="Which door is used.")
    grade: Grade = Field(Grade.IRON, description="How well it is locked.")
    guards: int = Field(1, ge=1, le=9, description="How many guards there are.")
    hosts: tuple[str, ...] = Field((), description="Where it is.")
    accounts: dict[str, SecretStr] = Field({}, description="The keys of the boxes.")
    where: str = Field("here", alias="class", description="The class of the place.")

    @field_validator("picky_key")
    @classmethod
    def _looked_at(cls, key: SecretStr) -> SecretStr:
        if "bad" in key.get_secret_value():
            # As careless as somebody's validator will be.
            raise ValueError(f"{key.get_secret_value()} is no key")
        if "odd" in key.get_secret_value():
            raise KeyError(key.get_secret_value())  # which pydantic lets through
        return key


class VaultDriver(ShelfDriver):
    """Images behind a lock."""

    schemes = ("vault",)
    options = VaultOptions
    example_locations = ("vault://bank/teddy",)
    config: VaultOptions


class StrictOptions(ShelfOptions):
    """Options of which one has another name in a configuration, and must be there."""

    where: str = Field(alias="class", description="The class of the place.")
    until: str = Field(validation_alias="yield", description="When it ends.")


class StrictDriver(ShelfDriver):
    """A shelf that must be told where it is."""

    options = StrictOptions
    config: StrictOptions
