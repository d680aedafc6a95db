"""The order of one scan."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np

from scada.blocks.base import INTERLOCKED, NOT_INITIALISED, Context, FunctionBlock, Signals, Tick, view
from scada.requests import Request
from scada.scan import bypassing, forcing, orders, outcomes, restarts
from scada.scan.batch import Batch
from scada.scan.outputs import Output, Stage, cast, limited
from scada.scan.program import OWN, Program
from scada.scan.state import Inputs, State, Writes
from scada.scan.tasks import Watch
from tags.quality import BAD_INTERNAL_ERROR

_RETRY_SCANS: Final = 100  # a block that raised gets another chance after so many scans


def step(
    program: Program,
    state: State,
    inputs: Inputs,
    requests: Sequence[Request],
    tick: Tick,
    watch: Watch | None = None,
) -> tuple[State, Writes, list[dict[str, Any]]]:
    """One scan: inputs, requests, the blocks of the tasks that are due, outputs, alarms, outcomes; always in this order.

    Pure at its boundary: it reads nothing but its arguments and changes nothing but the state, in place.

    Args:
        program: What runs.
        state: From `start` or the last step.
        inputs: What changed since the last step.
        requests: What came since the last step, in order of arrival.
        tick: The time of this scan.
        watch: Told of the tasks as they run, for clocks outside; nothing that it does comes back.

    Returns:
        The state, what to publish, and the events of this scan in order.
    """
    ctx, signals = state.context, state.signals
    first = state.scans == 0
    state.flags.clear()
    state.renew.clear()
    state.deadlines.clear()
    state.urgent = False
    ctx.events = []
    state.tasks.begin(ctx, tick)
    state.elapsed_ns += ctx.dt_ns
    state.scans += 1

    _take_inputs(state, inputs)
    restarts.watch(program, state)
    outcomes.versions_known(state)
    if first:
        times = signals.time_ns
        for slot in range(program.own):
            times[slot] = times[slot] or tick.utc_ns
        _announce_lost(state, tick.utc_ns)
    forcing.expire(program, state, ctx)
    bypassing.expire(state, ctx)
    _take_requests(program, state, requests, ctx)
    forcing.apply(program, state, ctx)
    if watch is not None:
        watch(-1)
    for task in state.tasks.due(ctx, tick):
        _run_blocks(program, state, task, ctx)
        if watch is not None:
            watch(task)
    _run_outputs(state, ctx)
    forcing.apply(program, state, ctx)
    for task, ran in enumerate(state.tasks.ran):
        if ran:
            state.columns.adopt(task, state.tasks.runs[task], ctx, state.failed, state.failed_outputs)
    _summarise(program, state, ctx)
    state.alarms.step(ctx)
    outcomes.follow(program, state, ctx)

    changed = state.tasks.end(program.own)
    slots = list(range(program.own)) if first else changed
    state.flags.sort()
    state.renew.sort()
    writes = Writes(
        slots,
        state.flags.copy(),
        state.renew.copy(),
        state.forces.changed,
        state.urgent,
        state.deadlines.copy(),
    )
    state.forces.changed = False
    return state, writes, ctx.events


def _take_inputs(state: State, inputs: Inputs) -> None:
    signals = state.signals
    value, status, time_ns, fresh = signals.value, signals.status, signals.time_ns, signals.fresh
    number = signals.number
    for slot, sample, quality, source_ns in inputs.samples:
        value[slot] = sample
        status[slot] = quality
        time_ns[slot] = source_ns
        fresh[slot] = 1
        if not isinstance(sample, str):
            number[slot] = sample
    for batch in inputs.batches:
        _take_batch(signals, batch)
    outputs = state.every_output
    for row, aux in inputs.acted:
        outputs[row].aux = aux
    for row, version in inputs.versions:
        outputs[row].version = version


def _take_batch(signals: Signals, batch: Batch) -> None:
    slots, count = batch.slots, len(batch)
    if not count:
        return
    first, value, values = int(slots[0]), signals.value, batch.values.tolist()
    where: Any = slots
    if int(slots[-1]) - first == count - 1:
        where = slice(first, first + count)
        value[where] = values
    else:
        for slot, one in zip(slots.tolist(), values, strict=True):
            value[slot] = one
    signals.number[where] = batch.values
    signals.statuses[where] = batch.status
    signals.times[where] = batch.time_ns
    view(signals.fresh, np.uint8)[where] = 1


def _announce_lost(state: State, utc_ns: int) -> None:
    for event in state.lost:
        told = {**event, "t": utc_ns}
        state.context.events.append(told)
        state.ledger.record(told)
    state.lost.clear()


def _take_requests(program: Program, state: State, requests: Sequence[Request], ctx: Context) -> None:
    for request in requests:
        orders.take_in(state, request, ctx)
    for request in state.inbox.take():
        try:
            orders.admit(program, state, request, ctx)
        except Exception as error:  # noqa: BLE001 - nothing that is sent may stop the plant
            orders.refuse(
                state, request, f"internal error, please report it: {type(error).__name__}: {error}", ctx
            )


def _run_blocks(program: Program, state: State, task: int, ctx: Context) -> None:
    failed, blocks, plan = state.failed, state.every_block, program.tasks[task]
    run, retry = state.tasks.runs[task], max(1, _RETRY_SCANS // plan.every)
    for position in state.columns.blocks(task, ctx):
        block = blocks[position]
        if failed[position] is not None and (run + position) % retry:
            _hold_on(block, ctx)
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
    """Its points turn Bad, its outputs and what it holds stay, and the scan goes on."""
    if state.failed[position] is None:
        ctx.emit("block", path=state.every_block[position].path, failed=True, message=message)
    state.failed[position] = message
    for path in program.site.blocks[position].points.values():
        slot = program.index[path]
        ctx.put(slot, state.signals.value[slot], BAD_INTERNAL_ERROR)
    for plan in program.outputs:
        if plan.driver == position:
            ctx.outputs.wanted[plan.row] = None
    _hold_on(state.every_block[position], ctx)


def _hold_on(block: FunctionBlock, ctx: Context) -> None:
    """A block that raised goes on to hold what it held."""
    with suppress(Exception):  # it is told already
        block.failed(ctx)


def _run_outputs(state: State, ctx: Context) -> None:
    """Control's own outputs first, then those of devices; one that raises does not stop the others."""
    stage = Stage(ctx, state.drive, state.flags, state.renew)
    failed = state.failed_outputs
    outputs = state.every_output
    for row in state.columns.outputs(ctx):
        output = outputs[row]
        if failed and output.plan.row in failed and (state.scans + output.plan.row) % _RETRY_SCANS:
            continue
        try:
            if output.plan.way == OWN:
                _drive_own(state, output, ctx)
            else:
                stage.run(output)
        except Exception as error:  # noqa: BLE001 - a defect in one output must not stop the plant
            _output_failed(state, output, f"{type(error).__name__}: {error}", ctx)
        else:
            if failed and failed.pop(output.plan.row, None) is not None:
                ctx.emit("block", path=output.plan.tag.path, failed=False, message="runs again")


def _output_failed(state: State, output: Output, message: str, ctx: Context) -> None:
    """Its command turns Bad, so that field does what the output declares for the loss of control."""
    plan = output.plan
    if plan.row not in state.failed_outputs:
        ctx.emit("block", path=plan.tag.path, failed=True, message=message)
    state.failed_outputs[plan.row] = message
    output.forget()
    ctx.outputs.tracking[plan.row] = output.why = NOT_INITIALISED
    slot = plan.slot if plan.way == OWN else plan.command
    ctx.put(slot, state.signals.value[slot], BAD_INTERNAL_ERROR)


def _drive_own(state: State, output: Output, ctx: Context) -> None:
    """What blocks write to memory tags and points of other blocks (a schedule, a duty group)."""
    plan, outs = output.plan, ctx.outputs
    row = plan.row
    lock = output.lock = outs.override[row]
    wanted = outs.wanted[row] if lock is None else lock[0]
    if wanted is not None and not isinstance(wanted, str):
        wanted = limited(plan, wanted)
    if wanted is not None and plan.tag.path not in state.forces.table:
        if plan.point is not None:
            state.blocks[plan.point[0]].write(plan.point[1], wanted)
        else:
            ctx.put(plan.slot, cast(plan, wanted))
    outs.applied[row] = wanted if wanted is not None else state.signals.value[plan.slot]
    outs.tracking[row] = output.why = INTERLOCKED if lock is not None else 0
    feedback = outs.feedback[row]
    if lock is None and feedback is not None:
        outs.applied[row], outs.tracking[row] = feedback


def _summarise(program: Program, state: State, ctx: Context) -> None:
    if program.forces >= 0:
        ctx.put(program.forces, len(state.forces))
    if state.bypasses.slot >= 0:
        ctx.put(state.bypasses.slot, len(state.bypasses))
    if program.failed >= 0:
        failed = len(state.failed_outputs) + len(state.alarms.failed) + len(state.failed)
        ctx.put(program.failed, failed - state.failed.count(None))
    if program.shadow >= 0:
        # Shadow: outputs exist, and none of them is written.
        ctx.put(program.shadow, bool(state.drive) and not any(state.drive.values()))
