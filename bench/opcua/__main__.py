"""`python -m bench.opcua [NAME …]`: all of the room or some, and bench/results/opcua.json."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Final

from bench.harness import Results, end_in_order

ROWS: Final = ("compare", "start", "read", "write", "notify", "history")
"""Modules of this package with `measure(results)`, in the order in which they run."""


def main() -> None:
    """Writes the results only when everything was run."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # clients have much to say when they end
    end_in_order()
    results = Results("opcua")
    for name in sys.argv[1:] or ROWS:
        importlib.import_module(f"bench.opcua.{name}").measure(results)
    if not sys.argv[1:]:
        results.write()


if __name__ == "__main__":
    main()
