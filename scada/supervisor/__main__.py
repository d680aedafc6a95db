"""`python -m scada.supervisor SITE --data DIR`: a plant without the command line's other verbs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scada.datadir import DataDir
from scada.supervisor.run import Overrides, run
from tags.model import Site


def main(argv: list[str]) -> int:
    """Runs a plant until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scada.supervisor")
    parser.add_argument("site", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args(argv)

    def ready(site: Site) -> None:
        sys.stdout.write(f"{site.name} is running\n")
        sys.stdout.flush()

    return run(given.site, DataDir(given.data), Overrides(), simulate=False, arm_simulated=False, ready=ready)


sys.exit(main(sys.argv[1:]))
