"""Distributions made up on the spot, to see what becomes of their drivers."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storekit.loader import GROUP

__all__ = ["installed"]


@contextmanager
def installed(
    directory: Path, driver: str, source: str, *, distributions: tuple[str, ...] = ("storekit-x",)
) -> Iterator[str]:
    """Install distributions that offer a driver, for this process, as long as it lasts.

    Only for cases that run alone: it changes where Python looks for modules.

    Args:
        directory: Where to put them.
        driver: The name of the driver. It is also the name of an extra.
        source: The source of its module, which defines ``Offered``.
        distributions: The names of the distributions. All offer it.

    Yields:
        The name of the module.
    """
    module = f"storekit_made_up_{secrets.token_hex(4)}"
    paths = []
    for number, name in enumerate(distributions):
        path = directory / f"site-{module}-{number}"
        info = path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (path / f"{module}.py").write_text(source, encoding="utf-8")
        metadata = [
            *(
                "Metadata-Version: 2.1",
                f"Name: {name}",
                "Version: 1.0",
                f"Provides-Extra: {driver}",
            ),
            f'Requires-Dist: a-library-that-nobody-has; extra == "{driver}"',
        ]
        (info / "METADATA").write_text("\n".join([*metadata, ""]), encoding="utf-8")
        entry_points = f"[{GROUP}]\n{driver} = {module}:Offered\n"
        (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        paths.append(str(path))
    sys.path[:0] = paths
    importlib.invalidate_caches()
    try:
        yield module
    finally:
        for added in paths:
            sys.path.remove(added)
        sys.modules.pop(module, None)
        importlib.invalidate_caches()
