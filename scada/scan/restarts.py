"""Devices that lost their power: what was read of them before says nothing any more.

Field notices by the heartbeat that the device forgot, and counts (`system/<device>/restarts`). From that scan on the
device's values count as not read until each has been read anew. So outputs are initialised from what the device holds
now, nothing of before jumps back into it, and blocks see the gap, however short it was.
"""

from __future__ import annotations

from scada.scan.program import Program
from scada.scan.state import State
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA, GOOD_LOCAL_OVERRIDE


def watch(program: Program, state: State) -> None:
    """Looks at the counts, after the inputs were taken in."""
    signals, known = state.signals, state.restarts
    value, status, time_ns = signals.value, signals.status, signals.time_ns
    for slot, members, rows in program.restarts:
        if status[slot] >> 30:
            continue
        count = int(value[slot])
        before = known.get(slot, count)
        known[slot] = count
        if count <= before:  # lower: field began anew
            continue
        since_ns = time_ns[slot]
        for member in members:
            # What field has forced, and what was read after the restart in the same scan, is known.
            if (
                status[member] >> 30 < 2
                and status[member] != GOOD_LOCAL_OVERRIDE
                and time_ns[member] < since_ns
            ):
                status[member] = BAD_WAITING_FOR_INITIAL_DATA
                signals.fresh[member] = True
        for row in rows:
            state.outputs[row].ready = False
