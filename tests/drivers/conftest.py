"""What the tests of every driver need."""

import contextlib

import pytest

import storekit


@pytest.fixture
def opened():
    """Open stores that are closed at the end."""
    with contextlib.ExitStack() as stores:

        def open_one(driver, **options):
            return stores.enter_context(storekit.open_store(driver, **options))

        yield open_one
