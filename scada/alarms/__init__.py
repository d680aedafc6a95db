"""Alarms (ISA-18.2): when one is active, who must know, what suppresses it, what people did with it.

What lives here: `state` (the state machine in one table), `watch` (one alarm and its condition), `engine` (all alarms over
the scan's signals), `operations` (what people may do in which state), `record` (since when, who and why: made of the
events, for control and for who follows them), `kinds` (levels, severities). What may not: clocks, I/O, randomness, lists
for screens, roles (`scada.access`).

How the scan uses it::

    alarms = Alarms(site.alarms, binder)              # binds the watched tags and the alarms' own tags
    alarms.restore(state, shelves, utc_ns)            # before the first scan
    alarms.order(path, Order("shelve", user), ctx)    # requests: None, or why not
    alarms.step(ctx)                                  # once per scan, after the blocks; events go to ctx.emit
"""

from scada.alarms.engine import Alarms, Transition
from scada.alarms.operations import Order
from scada.alarms.record import EMPTY, Record, follow

__all__ = ["EMPTY", "Alarms", "Order", "Record", "Transition", "follow"]
