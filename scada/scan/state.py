"""The state of a running program: what one scan leaves for the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from scada.blocks import base
from scada.blocks.base import Context, FunctionBlock
from scada.blocks.bypass import permits
from scada.requests import Inbox, Ledger, Request
from scada.scan.batch import Batch
from scada.scan.bypasses import Bypasses
from scada.scan.columns import LANES_MIN, Blocks, Columns, Outputs
from scada.scan.forces import Forces
from scada.scan.outputs import Output
from scada.scan.program import BYPASSES_TAG, HOLD, OWN, PULSE, Program, bind, own_slot
from scada.scan.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is new for a scan: only what changed since the last one.

    Attributes:
        samples: (slot, value, status, source time ns UTC) of tags of other services, and of control's own health.
        acted: (output row, `aux` of its tag in the field's image).
        versions: (output row, version that the publisher gave its command).
        batches: More samples, as columns; a slot has at most one sample in all.
    """

    samples: Sequence[tuple[int, Any, int, int]] = ()
    acted: Sequence[tuple[int, int]] = ()
    versions: Sequence[tuple[int, int]] = ()
    batches: Sequence[Batch] = ()

    def every(self) -> Iterator[tuple[int, Any, int, int]]:
        """All samples one by one, those of batches too."""
        return chain(self.samples, *self.batches)


NOTHING: Final = Inputs()


@dataclass(slots=True)
class Writes:
    """What a scan changed; read value, status and time in `State.signals`, drive flags in `State.drive`.

    Attributes:
        slots: Control's own tags (slot = row) with a new sample, rising.
        flags: Command slots whose drive flag changed, rising; maybe also in `slots`.
        renew: Command slots that are given again although value and status are the same, rising.
        forces: The forces for the field changed: `State.forces.for_field()`.
        urgent: Something to be kept at once was changed: a mode, a set point, a force.
        deadlines: Command slots that were given for a request in this scan: ns until its time is up. Later the field
            does not act on them any more.
    """

    slots: list[int]
    flags: list[int]
    renew: list[int]
    forces: bool = False
    urgent: bool = False
    deadlines: dict[int, int] = field(default_factory=dict)


class State:
    """Everything that changes. Made by `start`, moved by `step` only.

    Attributes:
        signals: Value, status and time of each slot.
        context: What blocks see.
        blocks: In execution order, as one may take and change them: who is taken leaves the columns.
        every_block: The same as they are, for who only reads; after `settle`.
        columns: Those that are stepped together.
        failed: By block: the message of the exception that stopped it, or None.
        failed_outputs: The same of outputs, by row.
        alarms: All alarms.
        outputs: By row, as one may take and change them: who is taken leaves the columns.
        every_output: The same as they are, for who only reads; after `settle`.
        forced: Rows of outputs whose command is forced.
        inbox: Requests that wait for their turn.
        ledger: Requests that are open, and outcomes.
        lost: Requests that were open when an earlier control died, as events to announce in the first scan.
        forces: The table of forces.
        bypasses: The table of bypasses.
        elapsed_ns: Control's own time: the sum of all scan periods, ns.
        scans: Number of scans made.
        tasks: Who runs when.
        restarts: How often each device has restarted, by the slot of its count.
        drive: Command slot to its drive flag.
        flags: Command slots whose drive flag changed in this scan.
        renew: Command slots that were given again in this scan.
        urgent: See `Writes`.
        deadlines: See `Writes`.
    """

    __slots__ = (
        "alarms", "blocks", "bypasses", "columns", "context", "deadlines", "drive", "elapsed_ns", "every_block", "every_output", "failed",
        "failed_outputs", "flags", "forced", "forces", "inbox", "ledger", "lost", "outputs", "renew", "restarts", "scans", "signals", "tasks",
        "urgent",
    )  # fmt: skip

    NOT_STATE = ("blocks", "columns", "outputs")

    def __init__(self, program: Program, *, lanes_min: int = LANES_MIN) -> None:
        """Before the first scan; fewer blocks of a kind than `lanes_min` are not worth columns."""
        binder, self.every_block, self.alarms, _ = bind(program.site, program.tags, program.order)
        if len(binder.index) != len(program.slots):
            raise AssertionError("blocks bind differently a second time")
        self.signals: base.Signals = binder.signals()
        self.context = Context(self.signals, binder.outputs())
        self.failed: list[str | None] = [None] * len(self.every_block)
        self.failed_outputs: dict[int, str] = {}
        self.every_output = [Output(plan) for plan in program.outputs]
        self.columns = Columns(program, self.every_block, self.every_output, lanes_min)
        self.blocks = Blocks(self.every_block, self.columns, self.context)
        self.outputs = Outputs(self.every_output, self.columns, self.context)
        self.inbox = Inbox(lambda request: is_stop(program, request))
        self.ledger = Ledger()
        self.lost: list[dict[str, Any]] = []
        self.forces = Forces()
        self.bypasses = Bypasses(permits(program.site.blocks), own_slot(program, BYPASSES_TAG))
        self.elapsed_ns = 0
        self.scans = 0
        levels = [plan.way == PULSE or (plan.way == HOLD and plan.driver >= 0) for plan in program.outputs]
        self.tasks = Tasks(program.tasks, len(program.slots), levels)
        self.restarts: dict[int, int] = {}
        self.forced: set[int] = set()
        self.drive = {plan.command: False for plan in program.outputs if plan.way != OWN}
        self.flags: list[int] = []
        self.renew: list[int] = []
        self.urgent = False
        self.deadlines: dict[int, int] = {}

    def settle(self) -> None:
        """Brings the objects behind `every_block` and `every_output` up to date with the columns."""
        self.columns.settle(self.context)

    def mode_of(self, program: Program, position: int) -> str:
        """The text of a block's mode, or ""."""
        path = program.site.blocks[position].points.get("MODE")
        if path is None:
            return ""
        mode = int(self.signals.value[program.index[path]])
        return base.MODE_TEXTS[mode] if 0 <= mode < len(base.MODE_TEXTS) else str(mode)

    def block_named(self, position: int) -> FunctionBlock:
        """The block at a position."""
        return self.blocks[position]


def is_stop(program: Program, request: Request) -> bool:
    """True when a request stops or closes something: it goes before all others."""
    for path, value in request.items:
        tag = program.tags.get(path)
        if tag is None:
            continue
        if tag.write is not None and tag.write.stop:
            return True
        if (
            path in program.points
            and program.points[path][1] == "CMD"
            and value in (False, "false", "off", "stop", "close")
        ):
            return True
    return False
