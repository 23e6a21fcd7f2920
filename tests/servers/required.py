"""Whether a test whose server is missing may be left out."""

import os

import pytest

__all__ = ["require"]


def require(missing: str | None) -> None:
    """Leave a test out, or fail it where every server must be there.

    Args:
        missing: What the machine lacks, as the ``missing()`` of a server says; None is nothing.
    """
    if missing and os.environ.get("STOREKIT_REQUIRE_SERVERS") == "1":
        pytest.fail(f"a server that must be there is not: {missing}")
    if missing:
        pytest.skip(missing)
