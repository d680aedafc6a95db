"""A block at rest: what it reads, what it says, what it drives and what it remembers, for people who look for a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from scada.blocks import base, registry
from scada.scan import checkpoint
from scada.scan.program import Program, Recorder
from scada.scan.state import State

_WHY: Final = (
    (base.NOT_INITIALISED, "not initialised"),
    (base.LOCAL, "Local"),
    (base.DISARMED, "not armed"),
    (base.INTERLOCKED, "interlocked"),
    (base.FORCED, "forced"),
    (base.LIMITED, "limited"),
    (base.RATE_LIMITED, "rate limited"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One tag in a scan.

    Attributes:
        path: Of the tag.
        value: As the scan has it.
        status: OPC UA status code.
        time_ns: Source time, ns UTC.
    """

    path: str
    value: Any
    status: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Driven:
    """One output that a block touches.

    Attributes:
        path: Of the writable tag.
        wanted: What blocks asked for in this scan, or None.
        applied: The command that came of it.
        why: Words for why they differ, or "".
        driven: Field may write it.
    """

    path: str
    wanted: Any
    applied: Any
    why: str
    driven: bool


@dataclass(frozen=True, slots=True)
class View:
    """A block after a scan.

    Attributes:
        path: Of the block.
        type: Its type.
        failed: The message of the exception that stopped it, or None.
        inputs: Tags that it reads, with what they were in this scan.
        points: What it says.
        outputs: What it drives or holds.
        state: What it remembers, by attribute, as JSON.
    """

    path: str
    type: str
    failed: str | None
    inputs: list[Seen]
    points: list[Seen]
    outputs: list[Driven]
    state: dict[str, Any]


def block(program: Program, state: State, path: str) -> View:
    """A block after a scan.

    Args:
        program: What runs.
        state: After the scan.
        path: Of the block.

    Raises:
        KeyError: The program has no such block.
    """
    position = next((n for n, one in enumerate(program.site.blocks) if one.path == path), -1)
    if position < 0:
        raise KeyError(path)
    config = program.site.blocks[position]
    reads, rows = _touched(program, position)
    points = set(config.points.values())
    saved = checkpoint.dump(program, state)["objects"]
    found: dict[str, Any] = {}
    for name, members in saved.items():
        if name == path:
            found |= members
        elif name.startswith((f"{path}.", f"{path}[")):
            found |= {f"{name[len(path) + 1 :]}.{key}": value for key, value in members.items()}
    fresh = checkpoint.dump(program, State(program))["objects"].get(path, {})
    moved = {key: value for key, value in found.items() if key.strip("_") != "path" and (
        "." in key or key not in fresh or repr(fresh[key]) != repr(value))}  # fmt: skip
    return View(
        path=path,
        type=config.type,
        failed=state.failed[position],
        inputs=[seen(program, state, one) for one in reads if one not in points],
        points=[seen(program, state, one) for one in config.points.values()],
        outputs=[_driven(program, state, row) for row in rows],
        state={
            **moved,
            **{key: value for key, value in found.items() if key not in moved and key in _ALWAYS},
        },
    )


_ALWAYS: Final = frozenset({"_mode", "_state", "_active", "_out"})


def seen(program: Program, state: State, path: str) -> Seen:
    """A tag after a scan."""
    slot, signals = program.index[path], state.signals
    return Seen(path, signals.value[slot], int(signals.status[slot]), int(signals.time_ns[slot]))


def _touched(program: Program, position: int) -> tuple[list[str], list[int]]:
    """Paths that a block reads, in order of their binding, and its output rows."""
    binder = Recorder(program.site, program.tags, program.order)
    for config in program.site.blocks[: position + 1]:
        binder.reads, binder.rows = set(), set()
        registry.build(config, binder)
    paths = list(binder.index)
    rows = [program.output_of[binder.output_paths[row]] for row in sorted(binder.rows)]
    own = {program.outputs[row].tag.path for row in rows}
    reads: Sequence[str] = [paths[slot] for slot in sorted(binder.reads) if paths[slot] not in own]
    return [path for path in reads if path in program.index], rows


def _driven(program: Program, state: State, row: int) -> Driven:
    plan, outs = program.outputs[row], state.context.outputs
    tracking = int(outs.tracking[row])
    return Driven(
        plan.tag.path,
        outs.wanted[row],
        outs.applied[row],
        ", ".join(text for bit, text in _WHY if tracking & bit),
        bool(state.drive.get(plan.command, False)),
    )
