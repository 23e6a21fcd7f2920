"""Child processes that add or delete, and are killed in the middle of it."""

import contextlib
import os
import random
import signal
import socket
import time
from itertools import pairwise

STEP = 1 << 18  # bytes of an image that are given at once


@contextlib.contextmanager
def child(work):
    """Run something in a child with one end of a socket, and give the child's id and the other."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if not process:
        code = 1
        try:
            ours.close()
            work(theirs)
            code = 0
        finally:
            os._exit(code)
    theirs.close()  # else a child that dies early leaves us waiting
    with ours:
        try:
            yield process, ours
        finally:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def live_upload(store, image, *cuts):
    """An upload in a child: before what is behind the last cut, it stops until it hears something.

    It says when it stops; as ``child``.
    """

    def work(line):
        def data():
            for begin, end in pairwise((0, *cuts)):
                yield image[begin:end]
            line.send(b"x")
            line.recv(1)
            yield image[cuts[-1] :]

        store.add("live", data())

    return child(work)


def add_killed(store, image_id, image, after, has_sent=lambda: True):
    """Add in a child, and kill it once so many bytes were taken, and something was sent."""

    def work(line):
        def data():
            for offset in range(0, len(image), STEP):
                if offset >= after:
                    line.send(b"x")
                    time.sleep(60)
                yield image[offset : offset + STEP]

        store.add(image_id, data())

    with child(work) as (_, line):
        assert line.recv(1) == b"x"
        end = time.monotonic() + 20
        while not has_sent() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(random.random() / 50)
