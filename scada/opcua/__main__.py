"""`python -m scada.opcua --data DIR --name opcua --epoch N`."""

import gc
import sys

from scada.service import Service


def main(argv: list[str]) -> int:
    """Publishes its own tags first, then loads asyncua, which takes most of a second."""
    gc.disable()  # until the server listens: hundreds of thousands of objects, none of them garbage
    with Service.start(argv) as service:
        service.health(sessions=0)
        sys.setswitchinterval(
            0.001
        )  # s: so long the event loop waits at most for a thread that decodes or encodes
        from scada.opcua.service import run  # noqa: PLC0415

        return run(service)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
