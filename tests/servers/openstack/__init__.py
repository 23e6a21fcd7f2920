"""What runs in the virtual environments of OpenStack's servers, and where those are."""

from functools import partial
from pathlib import Path

from servers import built

__all__ = ["HERE", "missing", "python"]

HERE = Path(__file__).parent
missing = partial(built.missing, "build-openstack")
"""Say what the machine lacks to run ``swift`` or ``keystone``."""
python = partial(built.path_of, "build-openstack")
"""Give the Python of a server's virtual environment."""
