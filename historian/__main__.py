"""The historian service: `python -m historian --data DIR --name historian --epoch N`."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence
from typing import Any, Final

from historian.keeper import Keeper
from scada.service import Service

BEAT_S: Final = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until it is asked to stop; returns the exit code."""
    with Service.start(argv) as service:
        run(service)
    return 0


def run(service: Service) -> None:
    """Beats twice and commits once a second."""

    def report(kind: str, **fields: Any) -> None:
        service.event(kind, **fields)
        log = service.log.info if kind == "audit" else service.log.warning
        log(fields.get("message") or kind, **fields)

    keeper = Keeper(service.data, service.site, service.clock, report, threaded=True)
    wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    service.on_stop(lambda: os.eventfd_write(wake, 1))
    service.ready()
    ticks = 0
    next_s = service.clock.monotonic_ns() / 1e9
    while not service.stopping:
        service.beat()
        if ticks % 2 == 0:
            keeper.tick()
            health(service, keeper)
        ticks += 1
        next_s = max(next_s + BEAT_S, service.clock.monotonic_ns() / 1e9)
        select.select([wake], [], [], max(0.0, next_s - service.clock.monotonic_ns() / 1e9))
    health(service, keeper)
    keeper.close()
    os.close(wake)


def health(service: Service, keeper: Keeper) -> None:
    """Publishes how the historian is."""
    service.health(
        journal_lag=keeper.lag_s(),
        rows=keeper.rows,
        gaps=keeper.gaps,
        disk_free=keeper.disk_free_mb(),
        ok=keeper.ok,
        journal=keeper.journal,
        size=keeper.size_mb,
    )


if __name__ == "__main__":
    sys.exit(main())
