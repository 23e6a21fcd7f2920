"""The options of the s3 driver."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from storekit.driver import Count, DriverOptions, server_url

__all__ = ["LEAST_PART", "MOST_PART", "Options"]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
LEAST_PART, MOST_PART = 5 << 20, 5 << 30
_LONGEST_PREFIX = 512  # bytes; a key may have 1,024, and an id should keep some of them
_SSE_KEY = 32  # bytes


class Options(DriverOptions):
    """A bucket, or a part of one, and who we are there."""

    bucket: str = Field(
        min_length=1, pattern=r"^[A-Za-z0-9._-]+$", description="Bucket that holds the images."
    )
    prefix: str = Field(
        "",
        description="How the keys of all images begin. Nobody else may use the bucket, or this "
        "part of it.",
    )
    endpoint: str | None = Field(
        None, description="URL of the server, http or https. Left out: Amazon's, by the region."
    )
    region: str | None = Field(None, description="Region of the bucket.")
    create_bucket: bool = Field(default=False, description="Make the bucket if it is missing.")
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="Whether the bucket is in the path of a URL or in its host."
    )
    access_key: str | None = Field(
        None,
        description="Access key. Left out, with the secret key: what boto3 finds in the "
        "environment, in its files or at the instance.",
    )
    secret_key: SecretStr | None = Field(None, description="Secret key.")
    session_token: SecretStr | None = Field(None, description="Token of temporary keys.")
    profile: str | None = Field(None, description="Profile in boto3's files.")
    acl: str | None = Field(None, description="Canned ACL of new images.")
    storage_class: str | None = Field(None, description="Storage class of new images.")
    sse: Literal["s3", "kms", "customer"] | None = Field(
        None, description="Encryption by the server, and whose key it takes."
    )
    sse_kms_key_id: str | None = Field(None, description="Key of sse = kms; the default one else.")
    sse_customer_key: SecretStr | None = Field(
        None, description="Key of sse = customer: 32 bytes in Base64. Needs https."
    )
    proxy: str | None = Field(None, description="URL of a proxy for all requests.")
    conditional_writes: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether the server honours If-None-Match on writes, and so lets one of "
        "several writers win. auto asks it at the first add.",
    )
    part_size: Annotated[Count, Field(ge=LEAST_PART, le=MOST_PART)] | None = Field(
        None, description="Bytes of one part of an upload, 5 MiB to 5 GiB."
    )
    max_parts: Annotated[Count, Field(le=10_000)] | None = Field(
        None, description="Most parts of one upload, at most 10,000."
    )

    @field_validator("prefix")
    @classmethod
    def _prefix_is_a_key(cls, prefix: str) -> str:
        if len(prefix.encode()) > _LONGEST_PREFIX:
            raise ValueError(f"at most {_LONGEST_PREFIX} bytes")
        if prefix.startswith("/") or {".", "..", ""} & set(prefix.split("/")[:-1]):
            raise ValueError("no / at the beginning, no //, no . or .. between slashes")
        return prefix

    @field_validator("endpoint", "proxy")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        return server_url(url, "https://s3.example.net:8443", "access_key and secret_key")

    @field_validator("sse_customer_key")
    @classmethod
    def _key_length(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                length = len(base64.b64decode(key.get_secret_value(), validate=True))
            except binascii.Error:
                length = 0
            if length != _SSE_KEY:
                raise ValueError("32 bytes in Base64")
        return key

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("session_token goes with access_key and secret_key")
        if self.profile is not None and self.access_key is not None:
            raise ValueError("give either profile or access_key and secret_key")
        if (self.sse_customer_key is not None) != (self.sse == "customer"):
            raise ValueError("sse_customer_key goes with sse = customer")
        if self.sse_kms_key_id is not None and self.sse != "kms":
            raise ValueError("sse_kms_key_id goes with sse = kms")
        if self.sse == "customer" and (self.endpoint or "https:").lower().startswith("http:"):
            raise ValueError("sse = customer needs an https endpoint: the key goes over the wire")
        return self
