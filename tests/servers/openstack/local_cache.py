"""Swift's cache in the memory of a proxy that runs alone: as memcached, without another daemon."""

import json
import time


class LocalCache:
    """What the proxy and its filters use of ``swift.common.memcached.MemcacheRing``."""

    def __init__(self):
        self._kept = {}

    def get(self, key, **_):
        value, end = self._kept.get(key, ("null", 0))
        return json.loads(value) if not end or time.time() < end else None

    def get_multi(self, keys, *_):
        return [self.get(key) for key in keys]

    def set(self, key, value, time=0, **_):
        self._kept[key] = json.dumps(value), _end(time)
        return True

    def set_multi(self, mapping, *_, time=0, **__):
        return all(self.set(key, value, time) for key, value in mapping.items())

    def incr(self, key, delta=1, time=0):
        self.set(key, max(0, int(self.get(key) or 0) + int(delta)), time)
        return self.get(key)

    def decr(self, key, delta=1, time=0):
        return self.incr(key, -int(delta), time)

    def delete(self, key, *_):
        self._kept.pop(key, None)


def _end(seconds):
    return time.time() + seconds if seconds else 0


def filter_factory(*_, **__):
    cache = LocalCache()

    def wrap(app):
        def wrapped(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)

        return wrapped

    return wrap
