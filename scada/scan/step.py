"""The order of one scan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any, Final

from scada.blocks.base import Context, Tick
from scada.requests import Request
from scada.scan import orders
from scada.scan.outputs import Stage
from scada.scan.program import OWN, Program
from scada.scan.state import Inputs, State, Writes
from tags.model import COMMAND, DEVICE
from tags.quality import BAD_INTERNAL_ERROR, GOOD_LOCAL_OVERRIDE

_RETRY_SCANS: Final = 100  # a block that raised gets another chance after so many scans


def step(
    program: Program, state: State, inputs: Inputs, requests: Sequence[Request], tick: Tick
) -> tuple[State, Writes, list[dict[str, Any]]]:
    """One scan: inputs, requests, blocks, alarms, outputs, outcomes; in this order, always.

    Pure at its boundary: it reads nothing but its arguments and changes nothing but the state, in place.

    Args:
        program: What runs.
        state: From `start` or the last step.
        inputs: What changed since the last step.
        requests: What came since the last step, in order of arrival.
        tick: The time of this scan.

    Returns:
        The state, what to publish, and the events of this scan in order.
    """
    ctx, signals = state.context, state.signals
    first = state.scans == 0
    fresh = signals.fresh
    fresh[:] = [False] * len(fresh)
    state.flags.clear()
    state.renew.clear()
    state.urgent = False
    ctx.events = []
    ctx.begin(tick)
    state.elapsed_ns += ctx.dt_ns
    state.scans += 1

    _take_inputs(state, inputs)
    orders.versions_known(state)
    if first:
        times = signals.time_ns
        times[: program.own] = [time_ns or tick.utc_ns for time_ns in times[: program.own]]
        _announce_lost(state, tick.utc_ns)
    _expire_forces(program, state, ctx)
    _take_requests(program, state, requests, ctx)
    _apply_forces(program, state, ctx)
    _run_blocks(program, state, ctx)
    orders.own_outputs(state, ctx)
    stage = Stage(ctx, state.drive, state.flags, state.renew)
    for output in state.outputs:
        if output.plan.way != OWN:
            stage.run(output)
    _apply_forces(program, state, ctx)
    _summarise(program, state, ctx)
    state.alarms.step(ctx)
    orders.follow(program, state, ctx)

    own = program.own
    slots = list(range(own)) if first else list(compress(range(own), fresh))
    state.flags.sort()
    state.renew.sort()
    writes = Writes(slots, state.flags.copy(), state.renew.copy(), state.forces.changed, state.urgent)
    state.forces.changed = False
    return state, writes, ctx.events


def _take_inputs(state: State, inputs: Inputs) -> None:
    signals = state.signals
    value, status, time_ns, fresh = signals.value, signals.status, signals.time_ns, signals.fresh
    for slot, sample, quality, source_ns in inputs.samples:
        value[slot] = sample
        status[slot] = quality
        time_ns[slot] = source_ns
        fresh[slot] = True
    outputs = state.outputs
    for row, aux in inputs.acted:
        outputs[row].aux = aux
    for row, version in inputs.versions:
        outputs[row].version = version


def _announce_lost(state: State, utc_ns: int) -> None:
    for event in state.lost:
        told = {**event, "t": utc_ns}
        state.context.events.append(told)
        state.ledger.record(told)
    state.lost.clear()


def _take_requests(program: Program, state: State, requests: Sequence[Request], ctx: Context) -> None:
    for request in requests:
        if not state.inbox.put(request):
            orders.refuse(
                state, request, f"too many requests of {request.source} are waiting; try again", ctx
            )
    for request in state.inbox.take():
        try:
            orders.admit(program, state, request, ctx)
        except Exception as error:  # noqa: BLE001 - nothing that is sent may stop the plant
            orders.refuse(
                state, request, f"internal error, please report it: {type(error).__name__}: {error}", ctx
            )


def _expire_forces(program: Program, state: State, ctx: Context) -> None:
    for force in state.forces.expire(ctx.tick.utc_ns):
        orders.release(program, state, force, ctx)
        ctx.emit("force", **{**force.to_json(), "action": "expired", "by": ""})
        state.urgent = True


def _apply_forces(program: Program, state: State, ctx: Context) -> None:
    """Own tags take their forced values; commands get theirs in the output stage."""
    for output in state.outputs if state.forces.changed or state.urgent or state.scans == 1 else ():
        command = output.plan.tag.command
        force = state.forces.table.get(command) if command is not None else None
        output.forced = None if force is None else force.value
    for path, force in state.forces.table.items():
        kind = force.tag.kind
        if kind in (DEVICE, COMMAND):
            continue
        slot = program.index[path]
        if path in program.points and state.signals.value[slot] != force.value:
            position, point = program.points[path]
            state.blocks[position].write(point, force.value)
        ctx.put(slot, force.value, GOOD_LOCAL_OVERRIDE)


def _run_blocks(program: Program, state: State, ctx: Context) -> None:
    failed = state.failed
    for position, block in enumerate(state.blocks):
        if failed[position] is not None and (state.scans + position) % _RETRY_SCANS:
            continue
        try:
            block.step(ctx)
        except Exception as error:  # noqa: BLE001 - a defect in one block must not stop the plant
            _block_failed(program, state, position, f"{type(error).__name__}: {error}", ctx)
        else:
            if failed[position] is not None:
                failed[position] = None
                ctx.emit("block", path=block.path, failed=False, message="runs again")


def _block_failed(program: Program, state: State, position: int, message: str, ctx: Context) -> None:
    """Its points turn Bad, its outputs stay, and the scan goes on."""
    if state.failed[position] is None:
        ctx.emit("block", path=state.blocks[position].path, failed=True, message=message)
    state.failed[position] = message
    for path in program.site.blocks[position].points.values():
        slot = program.index[path]
        ctx.put(slot, state.signals.value[slot], BAD_INTERNAL_ERROR)
    for plan in program.outputs:
        if plan.driver == position:
            ctx.outputs.wanted[plan.row] = None


def _summarise(program: Program, state: State, ctx: Context) -> None:
    if program.forces >= 0:
        ctx.put(program.forces, len(state.forces))
    if program.shadow >= 0:
        # Shadow: outputs exist, and none of them is written.
        ctx.put(program.shadow, bool(state.drive) and not any(output.drive for output in state.outputs))
