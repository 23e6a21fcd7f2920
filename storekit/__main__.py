"""``python -m storekit``: the same as the ``storekit`` command."""

import sys

from storekit.cli import main

if __name__ == "__main__":
    sys.exit(main())
