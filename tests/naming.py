"""What a test with a parameter is called: the same in every run, so that it can be named again."""

import re

_ADDRESS = re.compile(" at 0x[0-9a-f]+")


def name_of(value):
    """Give a value as Python shows it, without where it lies in memory."""
    return _ADDRESS.sub("", repr(value))
