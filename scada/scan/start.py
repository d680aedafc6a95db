"""The state before the first scan: from nothing, or from what was retained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scada.scan import retain
from scada.scan.program import Program
from scada.scan.state import State
from tags.quality import GOOD

# A state younger than this restarts in the last mode; after a longer stop people decide.
FRESH_NS: Final = 600_000_000_000


def start(
    program: Program, retained: Mapping[str, Any] | None = None, *, utc_ns: int = 0, manual: bool = False
) -> State:
    """The state before the first scan.

    Args:
        program: What runs.
        retained: What `retain.dump` gave in an earlier run, or None: first start.
        utc_ns: Now, ns UTC: how old the retained state is decides whether modes are taken up again.
        manual: Every block starts in Manual (control crashed again and again).
    """
    state = State(program)
    signals = state.signals
    for slot, tag in enumerate(program.slots[: program.own]):
        if tag.kind == "memory" and tag.initial is not None:
            signals.status[slot] = GOOD
            signals.time_ns[slot] = utc_ns
    if retained is not None:
        age = utc_ns - int(retained.get("utc_ns", 0))
        retain.load(program, state, retained, utc_ns, fresh=-FRESH_NS < age < FRESH_NS)
    if manual:
        for block in state.blocks:
            block.to_manual()
    return state
