"""Interrupts: Ctrl-C at any instant leaves nothing, neither on the disk nor in the process."""

import subprocess
import sys
import textwrap

TURNS = 150

SCRIPT = textwrap.dedent("""
    import gc, os, pathlib, random, signal, sys, time
    from datetime import timedelta
    import storekit

    directory, source, turns = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    store = storekit.open_store("filesystem", path=directory, upload_idle=0)
    data = source.read_bytes()
    begin = time.monotonic()
    store.delete(store.add("warm", data, hashes=()).location)
    span = 1.2 * (time.monotonic() - begin)
    descriptors = len(os.listdir("/proc/self/fd"))
    choice = random.Random(1)
    interrupted = 0

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    for turn in range(turns):
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, span * choice.uniform(0.01, 1))
                store.add("image", source if turn % 2 else data, hashes=())
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        # The commit may have been made before the interrupt.
        for image in tuple(store.list()):
            assert image.size == len(data), image
            store.delete(image.location)
    gc.collect()
    assert interrupted > turns / 10, interrupted
    assert os.listdir(directory) == [], os.listdir(directory)
    assert list(store.leftovers(timedelta(0))) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors
    print("nothing left")
""")


def interrupted_adds(directory, tmp_path, turns):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_017)
    command = [sys.executable, "-c", SCRIPT, directory, source, str(turns)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def test_adds_that_are_interrupted_leave_nothing(tmp_path):
    (tmp_path / "images").mkdir()

    done = interrupted_adds(tmp_path / "images", tmp_path, TURNS)

    assert done.stdout == "nothing left\n", done.stderr


def test_adds_by_way_of_a_hidden_file_that_are_interrupted_leave_nothing(tmp_path, fuse):
    done = interrupted_adds(fuse().path, tmp_path, TURNS // 3)

    assert done.stdout == "nothing left\n", done.stderr
