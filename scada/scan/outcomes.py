"""Requests watched to their outcome: what was sent, what the field acted on, what is read back."""

from __future__ import annotations

from typing import Any

from scada.blocks.base import DISARMED, FORCED, INTERLOCKED, LOCAL, NOT_INITIALISED, Context, usable
from scada.requests import Entry, Item, Seen, machine
from scada.scan.outputs import Output, cast, near
from scada.scan.program import PULSE, Program
from scada.scan.state import State
from tags import quality
from tags.model import Tag


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


def local_text(program: Program, output: Output, state: State) -> str:
    """Why the Local/Remote selector stands against a write."""
    selector = program.slots[output.plan.remote]
    unit = selector.path.rpartition("/")[0]
    status = state.signals.status[output.plan.remote]
    if not quality.is_good(status):
        return f"{unit}: its selector {selector.path} is {quality.name(status)}, so it counts as Local"
    return f"{unit} is in Local ({selector.path})"


def lock_text(lock: tuple[Any, str], tag: Tag) -> str:
    """Which interlock stands against a write, and where it holds the output, in the unit of the output."""
    value, interlock = lock
    unit = f" {tag.unit}" if tag.unit else ""
    return f"interlock {interlock} holds {tag.path} at {value:g}{unit}"


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
                state.deadlines[output.plan.command] = max(0, entry.deadline - state.elapsed_ns)
            elif item.status in (machine.REJECTED, machine.TIMED_OUT, machine.MISMATCHED):
                output.forget()
        announce(state, entry, ctx.tick.utc_ns)
    state.ledger.close()


def _seen(state: State, output: Output, item: Item) -> Seen:
    plan, signals = output.plan, state.signals
    slot = plan.slot
    return Seen(
        aux=output.aux,
        good=usable(signals.status[slot]),
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
        return "refuse", lock_text(output.lock, plan.tag)
    if why & FORCED:
        return "refuse", f"{plan.tag.path} is forced"
    if why & NOT_INITIALISED and plan.way == PULSE:
        return "refuse", f"{plan.tag.path} cannot be written now"
    if not output.drive:
        return None
    command = state.signals.value[plan.command]
    return ("publish", "") if command == cast(plan, item.value) else None
