"""Writers of one id who are all at it before the first has ended."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from storekit import Duplicate

WRITERS = 16


def race(stores, image_id, size):
    """Let writers add one id, and give what those got who were not told Duplicate, by image.

    They take the stores in turn.
    """
    ready = threading.Barrier(WRITERS)

    def write(store, image):
        def data():
            yield image[:500]
            ready.wait(30)  # all of them have looked whether the id is taken
            yield image[500:]

        try:
            return store.add(image_id, data())
        except Duplicate:
            return None

    images = [bytes([number]) * size for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as writers:
        outcomes = zip(images, writers.map(write, cycle(stores), images), strict=True)
        return {image: stored for image, stored in outcomes if stored is not None}
