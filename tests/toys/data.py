"""What embedders give to ``add``: every shape of the same bytes."""

import array
import ctypes
import io
import os
import socket
import threading
from contextlib import suppress


class Dribble:
    """A file object that gives fewer bytes than asked; it has ``read(n)`` and nothing else."""

    def __init__(self, data, most=7777):
        self._file = io.BytesIO(data)
        self._most = most
        self.asked = []

    def read(self, n):
        self.asked.append(n)
        return self._file.read(min(n, self._most))


class Gusher:
    """A file object that gives more bytes than asked."""

    def __init__(self, data, extra=12345):
        self._file = io.BytesIO(data)
        self._extra = extra

    def read(self, n):
        return self._file.read(n + self._extra)


class Endless:
    """A file object that never ends, and counts what was taken."""

    def __init__(self):
        self.taken = 0

    def read(self, n):
        self.taken += n
        return bytes(n)


class IterOnly:
    """An object that has ``__iter__`` and nothing else."""

    def __init__(self, pieces):
        self._pieces = pieces

    def __iter__(self):
        return iter(self._pieces)


class Failing:
    """A file object that fails after some bytes, and counts how often it was asked."""

    def __init__(self, data, error):
        self._file = io.BytesIO(data)
        self._error = error
        self.asked = 0

    def read(self, n):
        self.asked += 1
        piece = self._file.read(n)
        if not piece:
            raise self._error
        return piece


def pieces_of(data, length):
    """Cut data into pieces of one length."""
    return [data[begin : begin + length] for begin in range(0, len(data), length)]


def reused(data, length):
    """Yield one buffer again and again, as code around ``readinto`` does."""
    buffer = bytearray(length)
    for piece in pieces_of(data, length):
        buffer[: len(piece)] = piece
        yield memoryview(buffer)[: len(piece)]
    buffer[:] = b"\xee" * length


def spoiled(data, length):
    """Yield byte arrays and spoil each when the next one is asked for."""
    for piece in pieces_of(data, length):
        changing = bytearray(piece)
        yield changing
        changing[:] = b"\xee" * len(changing)
        changing.clear()


def with_empty_pieces(data, length):
    """Yield empty pieces before, between and behind the others."""
    for piece in pieces_of(data, length):
        yield b""
        yield bytearray()
        yield piece
    yield memoryview(b"")


def in_shape(data):
    """Give a memoryview of several dimensions with these bytes, and of bigger items if it can."""
    if not data or len(data) % 8:
        return memoryview(data).cast("B", (1, len(data))) if data else memoryview(data)
    return memoryview(data).cast("B", (2, 2, len(data) // 4))


def in_doubles(data):
    """Give a memoryview of items that are not bytes, where the length allows."""
    return memoryview(data).cast("d") if len(data) % 8 == 0 else memoryview(data)


def every_other(data):
    """Give a memoryview that is not contiguous and has these bytes."""
    wide = bytearray(2 * len(data))
    wide[::2] = data
    return memoryview(wide)[::2]


def array_of(data):
    """Give an array, a bytes-like object that iterates over numbers."""
    return array.array("B", data)


def ctypes_of(data):
    """Give an array of ctypes, a bytes-like object too."""
    return (ctypes.c_ubyte * len(data)).from_buffer_copy(data)


def pipe_of(data):
    """Give the reading end of a pipe that a thread fills."""
    reader, writer = os.pipe()

    def fill():
        with suppress(BrokenPipeError), open(writer, "wb") as file:
            file.write(data)

    threading.Thread(target=fill, daemon=True).start()
    return open(reader, "rb", buffering=0)


def socket_of(data):
    """Give the file object of a socket, as http.client reads it."""
    ours, theirs = socket.socketpair()

    def fill():
        with suppress(BrokenPipeError), theirs:
            theirs.sendall(data)

    threading.Thread(target=fill, daemon=True).start()
    with ours:
        return ours.makefile("rb")


def open_fds():
    """Give the descriptors that this process has open."""
    return set(os.listdir("/proc/self/fd"))
