"""Servers that are written in Go: versitygw and minio."""

from functools import partial

from servers import built

__all__ = ["binary", "missing"]

missing = partial(built.missing, "build-go")
"""Say what the machine lacks to run some of them."""
binary = partial(built.path_of, "build-go")
"""Give the path of one of them."""
