"""Alarms (ISA-18.2): when one is active, who must know, what suppresses it.

What lives here: `state` (the state machine in one table) and `engine` (limit, state and quality alarms over the
scan's signals). What may not: clocks, I/O, randomness, lists for screens, who may acknowledge (`scada.access`).

How the scan uses it::

    alarms = Alarms(site.alarms, binder)              # binds the watched tags and the alarms' own tags
    alarms.restore(state)                             # before the first scan
    alarms.acknowledge(path, user, ctx)               # requests: None, or why not
    alarms.step(ctx)                                  # once per scan, after the blocks; events go to ctx.emit
"""

from scada.alarms.engine import Alarms, Transition

__all__ = ["Alarms", "Transition"]
