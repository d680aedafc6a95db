"""What survives a restart: set points, modes, tuning, totals, memory tags, alarms, forces, last commands, outcomes.

Device values are not kept here: they are read anew. Values that control owns come back Good with their original
time; last commands only help to recognise the read-back (`outputs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from scada.requests.machine import FINAL, TIMED_OUT
from scada.scan import bypassing
from scada.scan.program import HOLD, Program
from scada.scan.state import State
from tags.model import BLOCK, MEMORY, Tag
from tags.quality import GOOD
from tags.types import coerce

VERSION: Final = 1
OUTCOMES: Final = 200  # request ids that are still known after a restart …
OUTCOMES_BYTES: Final = 64 << 10  # … as far as they fit: large ones must not crowd out set points and modes


def dump(program: Program, state: State, utc_ns: int) -> dict[str, Any]:
    """What must survive, as JSON. `retain_text` makes the same as text, and faster when it is made again and again.

    Args:
        program: What runs.
        state: After a scan.
        utc_ns: Now, ns UTC.
    """
    state.settle()
    signals = state.signals
    values = {}
    for slot in range(program.own):
        tag = program.slots[slot]
        if keeps(tag) and signals.status[slot] >> 30 == 0:
            force = state.forces.table.get(tag.path)
            value = signals.value[slot] if force is None or force.before is None else force.before
            values[tag.path] = [value, signals.time_ns[slot]]
    return {
        "version": VERSION,
        "utc_ns": utc_ns,
        "site": program.site.name,
        "values": values,
        "blocks": {block.path: kept for block in state.every_block if (kept := block.retained())},
        "alarms": state.alarms.retained(),
        "shelves": state.alarms.shelved(),
        "commands": {
            output.plan.tag.path: output.last
            for output in state.every_output
            if output.plan.way == HOLD and output.last is not None
        },
        "forces": state.forces.retained(),
        "bypasses": state.bypasses.retained(state.elapsed_ns),
        "open": [entry.event(utc_ns) for entry in state.ledger.open],
        "outcomes": _outcomes(state),
    }


def _outcomes(state: State) -> list[dict[str, Any]]:
    """The last outcomes that fit, oldest first."""
    kept = []
    left = OUTCOMES_BYTES
    for event in reversed(state.ledger.outcomes()[-OUTCOMES:]):
        left -= len(orjson.dumps(event))
        if left < 0:
            break
        kept.append(outcome(event))
    return kept[::-1]


def outcome(event: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome as it is kept."""
    return {key: event[key] for key in event if key != "repeated"}


def keeps(tag: Tag) -> bool:
    """True for a tag whose value survives."""
    return tag.retain and tag.kind in (MEMORY, BLOCK)


def load(program: Program, state: State, kept: Mapping[str, Any], utc_ns: int, *, fresh: bool) -> None:
    """Takes back what `dump` gave; what fits no tag or block any more is left out.

    Args:
        program: What runs.
        state: Before its first scan.
        kept: As JSON brought it back.
        utc_ns: Now, ns UTC.
        fresh: Recent enough to take up modes again.
    """
    if kept.get("version") != VERSION:
        return
    signals = state.signals
    for path, (value, time_ns) in _table(kept, "values").items():
        slot = program.index.get(path, -1)
        tag = program.tags.get(path)
        if tag is None or not 0 <= slot < program.own or not tag.retain:
            continue
        try:
            signals.value[slot] = coerce(tag.type, value)
        except ValueError:
            continue
        signals.status[slot], signals.time_ns[slot] = GOOD, int(time_ns)
    blocks = _table(kept, "blocks")
    for block in state.blocks:
        if block.path in blocks:
            block.restore(blocks[block.path], fresh=fresh)
    state.alarms.restore(_table(kept, "alarms"), _table(kept, "shelves"), utc_ns)
    commands = _table(kept, "commands")
    for output in state.outputs:
        last = commands.get(output.plan.tag.path)
        if output.plan.way == HOLD and isinstance(last, bool | int | float):
            output.last = last
    state.forces.restore(kept.get("forces"), program.tags, utc_ns)
    state.bypasses.restore(kept.get("bypasses"), utc_ns)
    bypassing.apply(state)
    for event in kept.get("outcomes") or ():
        if isinstance(event, dict) and event.get("status") in FINAL:
            state.ledger.record(event)
    for event in kept.get("open") or ():
        # What was under way when control died: nobody can say, and nothing is sent again.
        if isinstance(event, dict) and isinstance(event.get("id"), str):
            reasons = ["control was restarted before the outcome was known; read it before you ask again"]
            state.lost.append({**event, "status": TIMED_OUT, "reasons": reasons})


def _table(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = kept.get(name)
    return table if isinstance(table, dict) else {}
