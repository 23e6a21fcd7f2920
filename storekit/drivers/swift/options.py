"""The options of the swift driver."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from storekit.driver import Count, DriverOptions, server_url

__all__ = ["LONGEST_CONTAINER", "LONGEST_PART", "Options"]

# https://docs.openstack.org/api-ref/object-store/: bytes of a container's name
LONGEST_CONTAINER = 256
_LONGEST_NAME = 128  # bytes; what is added to it must have room
LONGEST_PART = 5 << 30  # Swift's max_file_size
_NAME = r"^[^/\x00-\x1f\x7f]+$"


class Options(DriverOptions):
    """A container, or several, and who we are there."""

    auth_url: str | None = Field(
        None,
        description="URL of the authentication: for version 3 Keystone's, for version 1 the whole "
        "URL. Left out only where every caller brings a session, or a token and a catalog.",
    )
    auth_version: Literal["1", "3"] = Field("3", description="Version of the authentication.")
    username: str | None = Field(None, description="User; account:user with auth_version = 1.")
    password: SecretStr | None = Field(None, description="Password, or key, of the user.")
    user_domain: str = Field("default", description="Id of the user's domain.")
    project: str | None = Field(None, description="Name of the project.")
    project_domain: str = Field("default", description="Id of the project's domain.")
    application_credential_id: str | None = Field(
        None, description="Id of an application credential, in place of user and project."
    )
    application_credential_secret: SecretStr | None = Field(
        None, description="Secret of the application credential."
    )
    region: str | None = Field(None, description="Region of the object store in the catalog.")
    interface: Literal["public", "internal", "admin"] = Field(
        "public", description="Which of its endpoints in the catalog is used."
    )
    container: str = Field(
        "images",
        min_length=1,
        pattern=_NAME,
        description="Container that holds the images; how the names of several begin.",
    )
    containers: Annotated[Count, Field(le=256)] = Field(
        1, description="Over how many containers the images are spread, by their ids."
    )
    segments_container: str | None = Field(
        None,
        min_length=1,
        pattern=_NAME,
        description="Container of the segments of long images. Left out: container, and _segments.",
    )
    create_container: bool = Field(default=False, description="Make the containers if missing.")
    storage_policy: str | None = Field(None, description="Storage policy of new containers.")
    multi_tenant: bool = Field(
        default=False,
        description="Keep each image in the account of its caller, in a container of its own.",
    )
    trusts: bool = Field(
        default=True,
        description="With multi_tenant, have an upload outlive the caller's token by a trust.",
    )
    part_size: Annotated[Count, Field(le=LONGEST_PART)] | None = Field(
        None, description="Bytes of one segment, at most 5 GiB."
    )

    @property
    def has_credentials(self) -> bool:
        """Whether the store can authenticate by itself."""
        return self.username is not None or self.application_credential_id is not None

    @field_validator("auth_version", mode="before")
    @classmethod
    def _number_or_text(cls, version: object) -> object:
        return str(version) if type(version) is int else version

    @field_validator("auth_url")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        return server_url(url, "https://keystone.example.net:5000/v3", "username and password")

    @field_validator("container", "segments_container")
    @classmethod
    def _is_short(cls, name: str | None) -> str | None:
        if name is not None and len(name.encode()) > _LONGEST_NAME:
            raise ValueError(f"at most {_LONGEST_NAME} bytes")
        if name in {".", ".."}:
            raise ValueError("no . and no ..")
        return name

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        pair = (self.application_credential_id, self.application_credential_secret)
        if (pair[0] is None) != (pair[1] is None):
            raise ValueError(
                "application_credential_id and application_credential_secret go together"
            )
        if self.username is not None and pair[0] is not None:
            raise ValueError("give either username or application_credential_id")
        if self.has_credentials and self.auth_url is None:
            raise ValueError("auth_url says where the credentials are known")
        if self.auth_version == "1" and (pair[0] is not None or self.project is not None):
            raise ValueError("auth_version = 1 knows username and password only")
        if self.auth_version == "3" and self.username is not None and self.project is None:
            raise ValueError(
                "project says in which project the user works; a user of Swift's own auth, without"
                ' Keystone, has auth_version = "1"'
            )
        if self.multi_tenant and self.containers != 1:
            raise ValueError("multi_tenant has a container for each image: leave containers out")
        if self.multi_tenant and self.segments_container is not None:
            raise ValueError(
                "multi_tenant keeps the segments of each image beside it: leave "
                "segments_container out"
            )
        return self
