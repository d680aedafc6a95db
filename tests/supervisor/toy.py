"""A tiny service. `--behave` says how: `good`, `refuses` (ends at once with one clear line), `crashes`, `deaf`."""

from __future__ import annotations

import select
import sys

from scada.service import Service

FLAGS = ("manual", "refuses", "crashes", "deaf", "silent")


def main(argv: list[str]) -> int:
    with Service.start(argv, flags=FLAGS) as service:
        if "refuses" in service.flags:
            service.fail("port 8080 on 127.0.0.1 is in use. Choose another with --hmi-port.")
            return 1
        if "crashes" in service.flags:
            raise RuntimeError("planted")
        if "silent" not in service.flags:
            service.ready()
        service.health()
        service.event("service", name=service.name, state="toy", flags=sorted(service.flags))
        while not service.stopping or "deaf" in service.flags:
            if "silent" not in service.flags:
                service.beat()
            select.select([], [], [], 0.02)
        service.event("service", name=service.name, state="toy stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
