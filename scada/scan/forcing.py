"""Forces made effective: requested, applied in the scan, ended."""

from __future__ import annotations

from scada import access
from scada.blocks.base import Context
from scada.requests import Entry, Item, check
from scada.requests.message import FORCE
from scada.scan.forces import Force
from scada.scan.program import PULSE, Program
from scada.scan.state import State
from tags import quality
from tags.model import ALARM, COMMAND, DEVICE, SYSTEM, Tag
from tags.types import STRING, Value


def force(program: Program, state: State, entry: Entry, ctx: Context) -> list[str]:
    """Does a request to force or to end forces; the reasons against it when there are any, and then does nothing."""
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
            reasons += _force_refusals(program, tag, item)
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
            made = Force(
                tag=tag,
                value=item.value,
                until_ns=ctx.tick.utc_ns + request.for_ns,
                user=request.user,
                reason=request.reason,
                since_ns=ctx.tick.utc_ns,
                for_ns=request.for_ns,
                ends_ns=state.elapsed_ns + request.for_ns,
                before=earlier.before if earlier else None if tag.kind in (DEVICE, COMMAND) else item.old,
            )
            state.forces.put(made)
            ctx.emit("force", action="forced", **made.to_json())
        else:
            end(program, state, tag.path, ctx, "ended", request.user)
        item.take("apply")
    state.urgent = True
    return []


def _force_refusals(program: Program, tag: Tag, item: Item) -> list[str]:
    if tag.kind in (ALARM, SYSTEM) or tag.type == STRING:
        return [f"{tag.path}: {'texts' if tag.type == STRING else 'alarms and system tags'} cannot be forced"]
    try:
        item.value = check.coerce(tag, item.value)
    except ValueError as error:
        return [str(error)]
    written = program.tags[tag.command].write if tag.kind == COMMAND and tag.command is not None else None
    if written is not None and written.mode == PULSE and item.value:
        return [f"{tag.path} is a pulse: it can only be forced off"]
    if tag.path in program.points and program.points[tag.path][1].rpartition("/")[2] == "BYPASSED":
        return [f"{tag.path} cannot be forced: it says what is bypassed, and its alarm must stand"]
    if _resets(program, tag, item.value):
        return [f"{tag.path}: a reset cannot be forced, it would be given in each scan; write it"]
    return []


def _resets(program: Program, tag: Tag, value: Value) -> bool:
    """True when this value of a point resets what is latched: forced, nothing would latch any more."""
    if tag.path not in program.points:
        return False
    position, point = program.points[tag.path]
    protects = program.site.blocks[position].type in ("interlock", "cause_effect")
    name = point.rpartition("/")[2]
    return (name == "RESET" and bool(value)) or (protects and name == "ACTIVE" and not value)


def end(program: Program, state: State, path: str, ctx: Context, action: str, user: str = "") -> None:
    """Ends a force; a tag of control's own gets back the value that it had."""
    ended = state.forces.drop(path)
    if ended is None:
        return
    _release(program, state, ended, ctx)
    ctx.emit("force", **{**ended.to_json(), "action": action, "by": user})
    state.urgent = True


def _release(program: Program, state: State, force: Force, ctx: Context) -> None:
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


def expire(program: Program, state: State, ctx: Context) -> None:
    """Ends the forces whose time is over."""
    for over in state.forces.expire(state.elapsed_ns, ctx.tick.utc_ns):
        _release(program, state, over, ctx)
        ctx.emit("force", **{**over.to_json(), "action": "expired", "by": ""})
        state.urgent = True


def apply(program: Program, state: State, ctx: Context) -> None:
    """Own tags take their forced values; commands get theirs in the output stage."""
    if state.forces.changed or state.urgent or state.scans == 1:
        forced = {
            program.output_of[own.tag.command]: own.value
            for own in state.forces.table.values()
            if own.tag.kind == COMMAND and own.tag.command in program.output_of
        }
        for row in sorted(state.forced | forced.keys()):
            state.outputs[row].forced = forced.get(row)
        state.forced = set(forced)
    for path, own in state.forces.table.items():
        if own.tag.kind in (DEVICE, COMMAND):
            continue
        slot = program.index[path]
        if path in program.points and state.signals.value[slot] != own.value:
            position, point = program.points[path]
            state.blocks[position].write(point, own.value)
        ctx.put(slot, own.value, quality.GOOD_LOCAL_OVERRIDE)
