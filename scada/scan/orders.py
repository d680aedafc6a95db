"""Requests made effective: checked against tags, blocks, outputs and roles, done, and watched to their outcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scada import access
from scada.blocks.base import DISARMED, FORCED, INTERLOCKED, LOCAL, NOT_INITIALISED, Context
from scada.requests import Entry, Item, Request, Seen, check, machine
from scada.requests.message import ACKNOWLEDGE, FORCE
from scada.scan.forces import Force
from scada.scan.outputs import Output, cast, near
from scada.scan.program import ASK, OWN, PULSE, Program
from scada.scan.state import State
from tags import quality
from tags.model import ALARM, BLOCK, COMMAND, DEVICE, SYSTEM, Tag
from tags.types import STRING


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
        case "acknowledge":
            reasons = _acknowledge(program, state, entry)
        case _:
            reasons = _force(program, state, entry, ctx)
    if reasons:
        entry.refuse(reasons)
    announce(state, entry, utc_ns, hold_accepted=True)
    if entry.status not in machine.FINAL:
        state.ledger.add(entry)


def refuse(state: State, request: Request, reason: str, ctx: Context) -> None:
    """Refuses a request that gets no turn."""
    entry = Entry(request, [Item(path, value) for path, value in request.items])
    entry.refuse([reason])
    announce(state, entry, ctx.tick.utc_ns)


def announce(state: State, entry: Entry, utc_ns: int, *, hold_accepted: bool = False) -> None:
    """Puts the status into the events when it changed, and an outcome into the ledger.

    Args:
        state: Of the scan.
        entry: The request.
        utc_ns: Of the scan.
        hold_accepted: `accepted` waits for the end of the scan, which often says more.
    """
    if hold_accepted and machine.combined(entry.items) == machine.ACCEPTED:
        return
    if entry.settle():
        event = entry.event(utc_ns)
        state.context.events.append(event)
        if entry.status in machine.FINAL:
            state.ledger.record(event)


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
    undo: list[Callable[[], object]] = []
    for item, tag in checked:
        refusal = _apply_block(program, state, item, tag, undo)
        if refusal:
            for back in reversed(undo):
                back()
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
        reasons.append(local_text(program, output, state))
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
        reasons.append(f"interlock {output.lock[1]} holds {tag.path} at {output.lock[0]:g}")
    if plan.way == PULSE and item.value is not True:
        reasons.append(f"{tag.path} is a pulse: only true can be written")
    return reasons


def local_text(program: Program, output: Output, state: State) -> str:
    """Why the Local/Remote selector stands against a write."""
    selector = program.slots[output.plan.remote]
    unit = selector.path.rpartition("/")[0]
    status = state.signals.status[output.plan.remote]
    if not quality.is_good(status):
        return f"{unit}: its selector {selector.path} is {quality.name(status)}, so it counts as Local"
    return f"{unit} is in Local ({selector.path})"


def _unread_text(program: Program, state: State, output: Output) -> str:
    path = output.plan.tag.path
    if output.unread:
        names = ", ".join(program.slots[slot].path for slot in output.unread[:3])
        return f"{path}: {names} was not read yet"
    status = state.signals.status[output.plan.slot]
    if quality.is_good(status):
        return f"{path} is being initialised from what was read back; ask again"
    return f"{path} is {quality.name(status)}: what cannot be read back is not written"


def _apply_block(
    program: Program, state: State, item: Item, tag: Tag, undo: list[Callable[[], object]]
) -> str | None:
    """Gives a value to the block whose point it is, or that drives the output; the block may refuse."""
    if tag.kind == BLOCK and tag.path in program.points:
        position, point = program.points[tag.path]
        block = state.blocks[position]
        refusal = block.write(point, item.value)
        if refusal is None:
            undo.append(partial(block.write, point, item.old))
        return refusal
    row = program.output_of.get(tag.path, -1)
    if tag.kind != DEVICE or program.outputs[row].driver < 0:
        return None
    position = program.outputs[row].driver
    block = state.blocks[position]
    refusal = block.write_output(row, item.value)
    if refusal is None:
        undo.append(partial(block.write_output, row, state.outputs[row].last))
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
                announce(state, entry, state.context.tick.utc_ns)


def _want(output: Output, value: Any, entry: Entry, *, driven: bool) -> None:
    plan = output.plan
    if plan.way in (ASK, PULSE):
        if not driven and not (plan.way == PULSE and output.ask is not None):
            output.begin_ask(value, entry.request.deadline_ns)
        return
    if not driven:
        output.held = value
    if plan.rate and output.last is not None:
        # The ramp to the value is part of the order, not of the waiting for its outcome.
        entry.deadline += int(abs(value - output.last) / plan.rate * 1e9)


# ---- acknowledge, force ---------------------------------------------------------------------------------------------


def _acknowledge(program: Program, state: State, entry: Entry) -> list[str]:
    request = entry.request
    refusal = access.refusal(request.role, ACKNOWLEDGE)
    if refusal:
        return [refusal]
    reasons = [found for item in entry.items if (found := state.alarms.refusal(item.path)) is not None]
    if reasons:
        return reasons
    for item in entry.items:
        item.old = state.signals.value[program.index[item.path]]
        state.alarms.acknowledge(item.path, request.user, state.context)
        item.take("admit")
        item.take("apply")
    state.urgent = True
    return []


def _force(program: Program, state: State, entry: Entry, ctx: Context) -> list[str]:
    request = entry.request
    reasons: list[str] = []
    tags: list[Tag] = []
    for item in entry.items:
        tag = program.tags.get(item.path)
        if tag is None:
            reasons.append(f"there is no tag {item.path!r}")
            continue
        refusal = access.refusal(request.role, request.kind, tag)
        if refusal:
            reasons.append(refusal)
        elif request.kind == FORCE:
            reasons += _force_refusals(tag, item)
        elif item.path not in state.forces.table:
            reasons.append(f"{item.path} is not forced")
        tags.append(tag)
    if reasons:
        return reasons
    for item, tag in zip(entry.items, tags, strict=True):
        slot = program.index.get(tag.path, -1)
        item.old = state.signals.value[slot] if slot >= 0 else None
        item.take("admit")
        if request.kind == FORCE:
            earlier = state.forces.table.get(tag.path)
            force = Force(
                tag=tag,
                value=item.value,
                until_ns=ctx.tick.utc_ns + request.for_ns,
                user=request.user,
                reason=request.reason,
                since_ns=ctx.tick.utc_ns,
                before=earlier.before if earlier else None if tag.kind in (DEVICE, COMMAND) else item.old,
            )
            state.forces.put(force)
            ctx.emit("force", action="forced", **force.to_json())
        else:
            end_force(program, state, tag.path, ctx, "ended", request.user)
        item.take("apply")
    state.urgent = True
    return []


def _force_refusals(tag: Tag, item: Item) -> list[str]:
    if tag.kind in (ALARM, SYSTEM) or tag.type == STRING:
        return [f"{tag.path}: {'texts' if tag.type == STRING else 'alarms and system tags'} cannot be forced"]
    try:
        item.value = check.coerce(tag, item.value)
    except ValueError as error:
        return [str(error)]
    return []


def end_force(program: Program, state: State, path: str, ctx: Context, action: str, user: str = "") -> None:
    """Ends a force; a tag of control's own gets back the value that it had."""
    force = state.forces.drop(path)
    if force is None:
        return
    release(program, state, force, ctx)
    ctx.emit("force", **{**force.to_json(), "action": action, "by": user})
    state.urgent = True


def release(program: Program, state: State, force: Force, ctx: Context) -> None:
    """Gives a tag of control's own back to whoever makes its value."""
    if force.tag.kind in (DEVICE, COMMAND):
        return
    slot = program.index[force.tag.path]
    if force.before is None:
        return
    ctx.put(slot, force.before, quality.GOOD, fresh=True)
    if force.tag.path in program.points:
        position, point = program.points[force.tag.path]
        state.blocks[position].write(point, force.before)


# ---- to the outcome -------------------------------------------------------------------------------------------------


def versions_known(state: State) -> None:
    """At the start of a scan, when the versions of the commands of the last scan have come."""
    for entry in state.ledger.open:
        for item in entry.items:
            if item.status == machine.SENT and item.version < 0:
                version = state.outputs[item.output].version
                if version:
                    item.version = version & machine.VERSION_MASK


def follow(program: Program, state: State, ctx: Context) -> None:
    """After the output stage: moves every open request along, and closes those that have ended."""
    if not state.ledger.open:
        return
    for entry in state.ledger.open:
        late = state.elapsed_ns >= entry.deadline
        for item in entry.items:
            if item.status in machine.FINAL:
                continue
            output = state.outputs[item.output]
            seen = _seen(state, output, item)
            happening: tuple[str, str] | None = None
            if item.status == machine.ACCEPTED:
                happening = _sent(program, state, output, item)
            elif item.version >= 0:
                happening = machine.judge(item, seen)
            if late and (happening is None or happening[0] == "publish"):
                happening = machine.at_deadline(item, seen)
            if happening is None:
                continue
            item.take(*happening)
            if item.status == machine.SENT:
                item.sample_ns = seen.source_ns
            elif item.status in (machine.REJECTED, machine.TIMED_OUT, machine.MISMATCHED):
                output.forget()
        announce(state, entry, ctx.tick.utc_ns)
    state.ledger.close()


def _seen(state: State, output: Output, item: Item) -> Seen:
    plan, signals = output.plan, state.signals
    slot = plan.slot
    return Seen(
        aux=output.aux,
        good=quality.is_good(signals.status[slot]),
        source_ns=signals.time_ns[slot],
        within=near(signals.value[slot], item.value, plan.tolerance),
        pulse=plan.way == PULSE,
        tag=plan.tag.path,
        device=plan.tag.device or "",
    )


def _sent(program: Program, state: State, output: Output, item: Item) -> tuple[str, str] | None:
    """Is an accepted item in the command by now, or can it not be any more?"""
    plan, why = output.plan, output.why
    if why & LOCAL:
        return "refuse", local_text(program, output, state)
    if why & DISARMED:
        return "refuse", f"{plan.tag.device} is not armed"
    if why & INTERLOCKED and output.lock is not None and not near(output.lock[0], item.value, plan.tolerance):
        return "refuse", f"interlock {output.lock[1]} holds {plan.tag.path} at {output.lock[0]:g}"
    if why & FORCED:
        return "refuse", f"{plan.tag.path} is forced"
    if why & NOT_INITIALISED and plan.way == PULSE:
        return "refuse", f"{plan.tag.path} cannot be written now"
    if not output.drive:
        return None
    command = state.signals.value[plan.command]
    return ("publish", "") if command == cast(plan, item.value) else None


def own_outputs(state: State, ctx: Context) -> None:
    """Blocks that write memory tags and points of other blocks (a schedule, a duty group)."""
    outs = ctx.outputs
    for output in state.outputs:
        plan = output.plan
        if plan.way != OWN:
            continue
        row = plan.row
        lock = output.lock = outs.override[row]
        wanted = outs.wanted[row] if lock is None else lock[0]
        if wanted is not None and plan.tag.path not in state.forces.table:
            if plan.point is not None:
                state.blocks[plan.point[0]].write(plan.point[1], wanted)
            else:
                ctx.put(plan.slot, cast(plan, wanted))
        outs.applied[row] = wanted if wanted is not None else state.signals.value[plan.slot]
        outs.tracking[row] = output.why = INTERLOCKED if lock is not None else 0
