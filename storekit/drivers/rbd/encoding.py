"""Encoding: how the classes of the OSD, cls_rbd and cls_lock, write what they are told and tell.

As src/include/encoding.h of Ceph 16.2 has it: all numbers are little-endian.
"""

from __future__ import annotations

import struct

__all__ = ["HEAD", "U32", "U64", "packed", "unpacked"]

HEAD = struct.Struct("<BBI")
"""What a structure begins with: its version, the least one that reads it, its length."""
U32 = struct.Struct("<I")
"""A length, a count, or seconds."""
U64 = struct.Struct("<Q")
"""A number."""


def packed(text: str) -> bytes:
    """Give a text as they read it.

    Args:
        text: The text.
    """
    data = text.encode()
    return U32.pack(len(data)) + data


def unpacked(answer: bytes, at: int = 0) -> tuple[str, int]:
    """Read a text.

    Args:
        answer: What they told.
        at: The offset of the text in it.

    Returns:
        The text, and the offset behind it.
    """
    (length,) = U32.unpack_from(answer, at)
    begin = at + U32.size
    return answer[begin : begin + length].decode(), begin + length
