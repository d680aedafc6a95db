"""`python -m hmi --data DIR --name hmi --epoch N`, as the supervisor starts it."""

from __future__ import annotations

import sys

from hmi.service import main

if __name__ == "__main__":
    sys.exit(main())
