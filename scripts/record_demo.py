"""Run the demo and draw what it printed, as a terminal: the picture in the README.

python scripts/record_demo.py docs/demo.svg
"""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH = 126  # columns: the longest line, but for digests
# A sha512 digest is longer than a line: the picture has its two ends.
DIGEST = re.compile(r"\b([0-9a-f]{24})[0-9a-f]{96}([0-9a-f]{8})\b")


def main() -> int:
    """Draw the demo into the file that is named on the command line."""
    output = Path(sys.argv[1])
    done = subprocess.run(
        ["sh", "scripts/demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in ["$ make demo", *done.stdout.splitlines()]:
        console.print(drawn(line), soft_wrap=True)
    svg = console.export_svg(title="make demo", unique_id="demo")
    # Fonts of the reader's own machine: a picture asks no other host for anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    output.write_text(svg, encoding="utf-8")
    return 0


def drawn(line: str) -> Text:
    """Give a line of output the look that it has in a terminal.

    Args:
        line: As the demo printed it.
    """
    text = Text(DIGEST.sub(r"\1…\2", line))
    if line.startswith("$ "):
        text.stylize("bold green", 0, 1)
        text.stylize("bold", 2)
    return text


if __name__ == "__main__":
    sys.exit(main())
