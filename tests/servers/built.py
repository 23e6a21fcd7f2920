"""Programs that no package has: a script beside this makes each once, in the user's cache."""

import functools
import subprocess
from pathlib import Path

__all__ = ["missing", "path_of"]


def missing(script: str, *programs: str) -> str | None:
    """Say what the machine lacks to run some programs; None where it lacks nothing.

    The first time on a machine this makes them, which takes half a minute or some.

    Args:
        script: Which script makes them.
        *programs: Which.
    """
    for program in programs:
        try:
            path_of(script, program)
        except RuntimeError as error:
            return str(error)
    return None


def path_of(script: str, program: str) -> str:
    """Give the path of a program, which is made if it is not there yet; it tells the version.

    Args:
        script: Which script makes it.
        program: Which.

    Raises:
        RuntimeError: It cannot be made.
    """
    path, error = _made(script, program)
    if error is not None:
        raise RuntimeError(f"{program} cannot be installed: {error}")
    return path


@functools.cache  # also that it fails: without a network that takes its time
def _made(script: str, program: str) -> tuple[str, str | None]:
    command = [Path(__file__).with_name(script), program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()[-2000:] if done.returncode else None
