"""The supervisor: checks the site, starts the services, watches them, restarts what dies, stops all in order.

What lives here: `run`, and what it is made of. What may not: anything that a plant needs while it runs; services go on
when the supervisor is frozen, and it never lies in the way of a value.
"""

from scada.supervisor.run import Overrides, given_ids, run

__all__ = ["Overrides", "given_ids", "run"]
