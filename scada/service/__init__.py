"""The life of a service: how it starts, shows that it lives, logs, and stops.

What lives here: `Service`, the context that every service's `main(argv)` runs in, and its log. What may not: what any
one service does, and the watching and restarting of services (`scada.supervisor`).
"""

from scada.service.log import Log
from scada.service.service import Service

__all__ = ["Log", "Service"]
