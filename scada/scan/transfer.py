"""The state of one program carried over to a changed one, by name: where a what-if begins.

What is the same in both keeps its state: signals by path, blocks and alarms by path and type, outputs by tag. Of a block
goes over what had moved since its start; what comes from its configuration is the changed program's. What is new starts
as it would after a start of control.
"""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import replace

from scada.requests import Entry
from scada.scan import checkpoint
from scada.scan.program import Program
from scada.scan.start import start
from scada.scan.state import State
from tags.types import coerce


def transfer(recorded: Program, state: State, changed: Program) -> State:
    """A state of the changed program with everything that it has in common with the recorded one.

    Args:
        recorded: The program of the state.
        state: Between two scans; it stays as it is.
        changed: Another program; its scan period is the same.
    """
    if recorded.site.digest == changed.site.digest:
        return checkpoint.load(changed, checkpoint.dump(recorded, state))
    state.settle()
    made = start(changed, utc_ns=state.context.tick.utc_ns)
    _signals(recorded, state, changed, made)
    _moved(recorded, state, made)
    _outputs(recorded, state, changed, made)
    _people(state, changed, made)
    made.elapsed_ns, made.scans, made.lost = state.elapsed_ns, state.scans, list(state.lost)
    rows = {row: changed.output_of.get(plan.tag.path, -1) for row, plan in enumerate(recorded.outputs)}
    made.forced |= {rows[row] for row in state.forced if rows[row] >= 0}
    places = {slot: changed.index.get(recorded.slots[slot].path, -1) for slot in state.restarts}
    made.restarts |= {places[slot]: count for slot, count in state.restarts.items() if places[slot] >= 0}
    made.alarms.adopt(state.alarms, made.signals)
    tasks = made.tasks
    tasks.count = state.tasks.count
    if [plan.name for plan in tasks.plans] == [plan.name for plan in state.tasks.plans]:
        tasks.ran[:], tasks.runs[:] = state.tasks.ran, state.tasks.runs
    return made


def _signals(recorded: Program, state: State, changed: Program, made: State) -> None:
    theirs, mine = state.signals, made.signals
    for path, slot in changed.index.items():
        other = recorded.index.get(path, -1)
        if other < 0:
            continue
        try:
            mine.value[slot] = coerce(changed.tags[path].type, theirs.value[other])
        except ValueError:
            continue
        mine.status[slot], mine.time_ns[slot] = theirs.status[other], theirs.time_ns[other]
    mine.restored()


def _moved(recorded: Program, state: State, made: State) -> None:
    """Of blocks of the same path and type, what is not as a fresh state has it."""
    fresh = checkpoint.dump(recorded, State(recorded))["objects"]
    now = checkpoint.dump(recorded, state)["objects"]
    there = {block.path: block for block in made.every_block}
    same = {block.path for block in state.every_block if type(there.get(block.path)) is type(block)}
    theirs, mine = checkpoint.Objects(state), checkpoint.Objects(made)
    for name, thing in theirs.by_name.items():
        if theirs.root[name] not in same or type(mine.by_name.get(name)) is not type(thing):
            continue
        for key, value in now[name].items():
            if repr(value) != repr(fresh[name].get(key)):
                checkpoint.put(mine.by_name[name], key, deepcopy(getattr(thing, key)))
    for number, block in enumerate(state.every_block):
        if state.failed[number] is not None and block.path in same:
            made.failed[made.every_block.index(there[block.path])] = state.failed[number]


def _outputs(recorded: Program, state: State, changed: Program, made: State) -> None:
    theirs, mine = state.context.outputs, made.context.outputs
    for plan in changed.outputs:
        other = recorded.output_of.get(plan.tag.path, -1)
        if other < 0 or recorded.outputs[other].way != plan.way:
            continue
        for name in ("wanted", "override", "feedback", "applied", "tracking"):
            getattr(mine, name)[plan.row] = getattr(theirs, name)[other]
        output, old = made.every_output[plan.row], state.every_output[other]
        for name, value in checkpoint.members(old):
            if name not in ("plan", "unread"):
                setattr(output, name, copy(value))
        waits = {recorded.slots[slot].path for slot in old.unread}
        output.unread = tuple(
            slot
            for slot in plan.needs
            if changed.slots[slot].path in waits or changed.slots[slot].path not in recorded.index
        )
        if plan.command >= 0:
            made.drive[plan.command] = output.drive


def _people(state: State, changed: Program, made: State) -> None:
    """Requests that wait or are open, outcomes, forces, bypasses."""
    for request in state.inbox.waiting():
        made.inbox.put(request)
    for entry in state.ledger.open:
        if any(item.path not in changed.tags for item in entry.items):
            continue
        kept = Entry(entry.request, [copy(item) for item in entry.items], entry.deadline)
        kept.status, kept.reasons = entry.status, entry.reasons
        for item in kept.items:
            item.output = changed.output_of.get(item.path, -1) if item.output >= 0 else -1
        made.ledger.add(kept)
    for event in state.ledger.everything():
        made.ledger.record(event)
    for path, force in state.forces.table.items():
        if path in changed.tags:
            made.forces.put(replace(force, tag=changed.tags[path]))
    for path, bypass in state.bypasses.table.items():
        if path in made.bypasses.permits:
            made.bypasses.table[path] = bypass
