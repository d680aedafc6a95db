"""Requests made effective: checked against tags, blocks, outputs and roles, and done."""

from __future__ import annotations

from array import array
from collections import deque
from copy import copy
from typing import Any

import numpy as np

from scada.blocks.base import DISARMED, LOCAL, NOT_INITIALISED, Context, FunctionBlock, usable
from scada.requests import Entry, Item, Request, check, machine
from scada.requests.message import ALARM_KINDS
from scada.scan import alarming, bypassing, checkpoint, forcing, outcomes
from scada.scan.outputs import Output, near
from scada.scan.program import ASK, PULSE, Program
from scada.scan.state import State
from tags import quality
from tags.model import BLOCK, DEVICE, MEMORY, Tag


def admit(program: Program, state: State, request: Request, ctx: Context) -> None:
    """Does a request, or refuses it with every reason; a repeated id only returns what is recorded."""
    utc_ns = ctx.tick.utc_ns
    recorded = state.ledger.recorded(request.id, utc_ns)
    if recorded is not None:
        ctx.events.append(recorded)
        return
    items = [Item(path, value) for path, value in request.items]
    entry = Entry(request, items, state.elapsed_ns + request.deadline_ns)
    match request.kind:
        case "write":
            reasons = _write(program, state, entry, ctx)
        case kind if kind in ALARM_KINDS:
            reasons = alarming.ask(program, state, entry, ctx)
        case "bypass" | "unbypass":
            reasons = bypassing.bypass(state, entry, ctx)
        case _:
            reasons = forcing.force(program, state, entry, ctx)
    if reasons:
        entry.refuse(reasons)
    outcomes.announce(state, entry, utc_ns, hold_accepted=True)
    if entry.status not in machine.FINAL:
        state.ledger.add(entry)


def take_in(state: State, request: Request, ctx: Context) -> None:
    """Gives a request its place among those that wait, or says at once what became of it.

    One that finds no place is refused and not remembered: nothing was done, so the same id may be sent again.
    """
    if request.id in state.inbox:
        return  # sent twice; it will have one outcome
    recorded = state.ledger.recorded(request.id, ctx.tick.utc_ns)
    if recorded is not None:
        ctx.events.append(recorded)
    elif not state.inbox.put(request):
        entry = _refused(request, f"too many requests of {request.source} are waiting; try again")
        entry.settle()
        ctx.events.append(entry.event(ctx.tick.utc_ns))


def refuse(state: State, request: Request, reason: str, ctx: Context) -> None:
    """Refuses a request whose turn went wrong."""
    outcomes.announce(state, _refused(request, reason), ctx.tick.utc_ns)


def _refused(request: Request, reason: str) -> Entry:
    entry = Entry(request, [Item(path, value) for path, value in request.items])
    entry.refuse([reason])
    return entry


# ---- writes ---------------------------------------------------------------------------------------------------------


def _write(program: Program, state: State, entry: Entry, ctx: Context) -> list[str]:
    request, signals = entry.request, state.signals
    reasons: list[str] = []
    checked: list[tuple[Item, Tag]] = []
    for item in entry.items:
        tag = program.tags.get(item.path)
        if tag is None:
            reasons.append(f"there is no tag {item.path!r}")
            continue
        found = check.write_refusals(tag, request.role)
        if not found:
            try:
                item.value = check.coerce(tag, item.value)
            except ValueError as error:
                found = [str(error)]
            else:
                refusal = check.range_refusal(tag, item.value)
                found = [refusal] if refusal else _stands_against(program, state, tag, item)
        reasons += found
        if not found:
            slot = program.index[tag.path]
            item.old = (
                signals.value[slot]
                if quality.name(signals.status[slot]) != "BadWaitingForInitialData"
                else None
            )
            checked.append((item, tag))
    if reasons:
        return reasons
    before: dict[int, list[tuple[Any, str, Any]]] = {}
    for item, tag in checked:
        position = _block_of(program, tag)
        if position < 0:
            continue
        if len(checked) > 1 and position not in before:
            before[position] = _kept(state.blocks[position])
        refusal = _apply_block(program, state, item, tag, position)
        if refusal:  # all or none: a start or a reset that another item refuses must not have happened
            for kept in before.values():
                for thing, name, value in kept:
                    checkpoint.put(thing, name, value)
            return [refusal]
    for item, tag in checked:
        _supersede(state, entry, tag.path)
        item.take("admit")
        row = program.output_of.get(tag.path, -1)
        if tag.kind == DEVICE:
            item.output = row
            _want(state.outputs[row], item.value, entry, driven=program.outputs[row].driver >= 0)
            continue
        state.urgent = True
        if tag.path not in program.points:
            ctx.put(program.index[tag.path], item.value, fresh=True)
        elif not state.tasks.runs_now(program.points[tag.path][0]):
            ctx.put(program.index[tag.path], item.value)  # its block says so only in its next run
        item.take("apply")
    return []


def _stands_against(program: Program, state: State, tag: Tag, item: Item) -> list[str]:
    """What in the plant or program refuses a write, by name."""
    if tag.kind != DEVICE:
        force = state.forces.table.get(tag.path)
        return [f"{tag.path} is forced by {force.user}: end the force first"] if force else []
    if tag.path not in program.output_of:
        return [f"{tag.path} has no command: it is only read"]
    output = state.outputs[program.output_of[tag.path]]
    plan = output.plan
    signals, why = state.signals, output.why
    reasons = []
    if why & LOCAL:
        reasons.append(outcomes.local_text(program, output, state))
    if why & DISARMED:
        armed = signals.status[plan.armed] if plan.armed >= 0 else quality.GOOD
        reasons.append(
            f"{tag.device} is not armed: arm its outputs first (scada outputs arm {tag.device} --reason …)"
            if quality.is_good(armed)
            else f"{tag.path}: nothing is known of {tag.device} ({quality.name(armed)})"
        )
    if not reasons and why & NOT_INITIALISED:
        reasons.append(_unread_text(program, state, output))
    if output.forced is not None:
        reasons.append(f"{tag.path} is forced: end the force of {tag.command} first")
    if output.lock is not None and not near(output.lock[0], item.value, plan.tolerance):
        reasons.append(outcomes.lock_text(output.lock, tag))
    if plan.way == PULSE and item.value is not True:
        reasons.append(f"{tag.path} is a pulse: only true can be written")
    return reasons


def _unread_text(program: Program, state: State, output: Output) -> str:
    path = output.plan.tag.path
    if output.unread:
        names = ", ".join(program.slots[slot].path for slot in output.unread[:3])
        return f"{path}: {names} was not read yet"
    status = state.signals.status[output.plan.slot]
    if usable(status):
        return f"{path} is being initialised from what was read back; ask again"
    return f"{path} is {quality.name(status)}: what cannot be read back is not written"


def _block_of(program: Program, tag: Tag) -> int:
    """Position of the block whose point a tag is, or that drives the output; -1 for none."""
    if tag.kind == BLOCK and tag.path in program.points:
        return program.points[tag.path][0]
    row = program.output_of.get(tag.path, -1)
    if tag.kind not in (DEVICE, MEMORY) or row < 0:
        return -1
    return program.outputs[row].driver


def _kept(block: FunctionBlock) -> list[tuple[Any, str, Any]]:
    """Everything that a write may change in a block and in what it is made of, as (object, attribute, value).

    Objects stay who they are, and other blocks are left alone: an interlock that came back with a copy of its motor
    would never stop the motor again.
    """
    found: list[tuple[Any, str, Any]] = []
    todo: list[Any] = [block]
    met = {id(block)}
    while todo:
        thing = todo.pop()
        for name, value in checkpoint.members(thing):
            found.append((thing, name, _copied(value)))
            inner = value.values() if isinstance(value, dict) else value
            for part in inner if isinstance(value, dict | list | tuple) else (value,):
                if id(part) in met or isinstance(part, FunctionBlock) or not checkpoint.is_object(part):
                    continue
                met.add(id(part))
                todo.append(part)
    return found


def _copied(value: Any) -> Any:
    """A container of its own, also inside; all else as it is."""
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_copied(one) for one in value]
    return copy(value) if isinstance(value, set | deque | bytearray | array | np.ndarray) else value


def _apply_block(program: Program, state: State, item: Item, tag: Tag, position: int) -> str | None:
    """Gives a value to the block whose point it is, or that drives the output; the block may refuse."""
    block = state.blocks[position]
    if tag.kind == BLOCK:
        return block.write(program.points[tag.path][1], item.value)
    refusal = block.write_output(program.output_of[tag.path], item.value)
    if refusal is None:
        return None
    mode = state.mode_of(program, position)
    driven = f"{tag.path} is driven by {block.path}{f' in {mode}' if mode else ''}"
    return f"{driven}: {refusal.removeprefix(f'{block.path} is in {mode}: ')}"


def _supersede(state: State, by: Entry, path: str) -> None:
    for entry in state.ledger.open:
        for item in entry.items:
            if item.path == path and item.status in (machine.ACCEPTED, machine.SENT):
                who = f"{by.request.user or by.request.source} ({by.request.source})"
                item.take("supersede", f"{path} was written again by {who}")
                outcomes.announce(state, entry, state.context.tick.utc_ns)


def _want(output: Output, value: Any, entry: Entry, *, driven: bool) -> None:
    plan = output.plan
    if plan.way in (ASK, PULSE):
        waits = output.ask is not None and not (output.ask_sent and output.acted())
        if not driven and not (plan.way == PULSE and waits):
            output.begin_ask(value, entry.request.deadline_ns)
        return
    if not driven:
        output.held = value
    if plan.rate and output.last is not None:
        # The ramp to the value is part of the order, not of the waiting for its outcome.
        entry.deadline += int(abs(value - output.last) / plan.rate * 1e9)
