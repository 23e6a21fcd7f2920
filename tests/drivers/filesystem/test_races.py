"""Many processes and one id: one of them wins, and its bytes are there."""

import json
import multiprocessing
import os
import threading

import pytest

import storekit

PROCESSES = 16
ROUNDS = 50
SIZE = 300_007


def bytes_of(number):
    return bytes([number + 1]) * SIZE


def contend(options, number, start, answers):
    store = storekit.open_store("filesystem", **options)
    for _ in range(ROUNDS):
        start.wait()
        try:
            store.add("image", bytes_of(number), hashes=())
            answers.put((number, "won"))
        except storekit.StoreError as error:
            answers.put((number, type(error).__name__))
        start.wait()


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True], ids=["one directory", "three directories"])
def test_of_sixteen_processes_one_wins_and_the_others_are_told(open_store, tmp_path, several):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.mkdir()
    options = {"paths": {str(path): 1 for path in paths}} if several else {"path": str(paths[0])}
    store = open_store(**options)
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(PROCESSES + 1), fork.Queue()
    children = [
        fork.Process(target=contend, args=(options, number, start, answers))
        for number in range(PROCESSES)
    ]
    for child in children:
        child.start()
    for _ in range(ROUNDS):
        start.wait(60)
        told = dict(answers.get(timeout=60) for _ in children)
        winners = [number for number, answer in told.items() if answer == "won"]
        assert len(winners) == 1, json.dumps(told)
        assert [*told.values()].count("Duplicate") == PROCESSES - 1, json.dumps(told)
        (image,) = store.list()
        with store.get(image.location) as reader:
            assert reader.read() == bytes_of(winners[0])
        store.delete(image.location)
        left = [name for path in paths for name in os.listdir(path)]
        assert set(left) <= {".storekit-lock"}
        start.wait(60)
    for child in children:
        child.join(60)
        assert child.exitcode == 0


def add_and_delete(path, told):
    with storekit.open_store("filesystem", path=path) as store:
        for _ in range(3_000):
            try:
                store.delete(store.add("image", b"x", hashes=()).location)
            except storekit.StoreError as error:
                told.add(type(error))


def test_a_rival_that_is_deleted_at_once_is_a_duplicate_all_the_same(tmp_path):
    told = set()
    threads = [
        threading.Thread(target=add_and_delete, args=(str(tmp_path), told)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {storekit.Duplicate}
