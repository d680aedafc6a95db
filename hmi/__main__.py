"""`python -m hmi --data DIR --name hmi --epoch N`, as the supervisor starts it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scada.service import Service


def main(argv: Sequence[str] | None = None) -> int:
    """Publishes its own tags first, then loads FastAPI, which takes half a second.

    Args:
        argv: Arguments without the program; None for those of the process.

    Returns:
        Exit code: 0 stopped as asked, 1 could not run.
    """
    with Service.start(argv) as service:
        service.health(clients=0)
        from hmi.service import run  # noqa: PLC0415

        return run(service)


if __name__ == "__main__":
    sys.exit(main())
