"""What every function block is, and what it sees of the scan.

The scan owns `Signals` (the working set: one slot for each tag that the program touches) and `Outputs` (one row for
each tag that the program may write). A block is built once through a `Binder`, which turns paths into slots, is
linked to the other blocks, and is then stepped once per scan, in order. Blocks mutate their own `__slots__`; they
allocate next to nothing in a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Collection, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from tags import expression, model
from tags.quality import (
    BAD_OUT_OF_RANGE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_EU_EXCEEDED,
)
from tags.types import BOOL, FLOATS, STRING, Value

# Why an output does not follow what its block wants (`Outputs.tracking`), as bits.
NOT_INITIALISED = 1  # nothing was read back yet
LOCAL = 2  # the unit's selector says Local, or is not Good
DISARMED = 4  # nothing is written to the device: the scan runs in shadow
INTERLOCKED = 8  # an interlock holds it
FORCED = 16  # a force holds it
LIMITED = 32  # clamped to the limits of the tag
RATE_LIMITED = 64  # on its way at the tag's rate
NOT_TAKEN = 128  # the controller that it is a set point for is not in Cascade, or follows something else
NOT_OURS = (
    NOT_INITIALISED | LOCAL | DISARMED | INTERLOCKED | FORCED | NOT_TAKEN
)  # what a block wants has no effect at all

# Modes, as in the points `MODE`.
OUT_OF_SERVICE, MANUAL, AUTO, CASCADE, REMOTE_CASCADE = range(5)
MODE_TEXTS = ("Out of service", "Manual", "Auto", "Cascade", "Remote cascade")

PUT = 2  # in `Signals.fresh`

# Longer than a scan is ever late on a machine that runs: the larger of both.
SEEN_MAX_NS, SEEN_MAX_PERIODS = 1_000_000_000, 5

Condition = Callable[[Sequence[Any], Sequence[int]], tuple[Any, int]]
"""A bound expression: (values, statuses) of the signals -> (value, worst status)."""


def usable(status: int) -> bool:
    """True when a block may act on a value: Good, or outside its range but measured."""
    return status < UNCERTAIN or (status & 0xFFFF_0000) == UNCERTAIN_EU_EXCEEDED


def finite(value: object) -> bool:
    """True for a bool, an int or a float that is neither NaN nor infinite."""
    return isinstance(value, int) or (isinstance(value, float) and value - value == 0.0)


def number(value: object) -> float | None:
    """A finite number as float, or None for anything else (bool counts as 0 or 1)."""
    if isinstance(value, int | float):
        try:
            result = float(value)
        except OverflowError:
            return None
        return result if result - result == 0.0 else None
    return None


class Signals:
    """The scan's working set: parallel sequences, one slot per tag. `Binder.index` maps paths to slots.

    Columns of blocks see what stands in arrays through views of the same memory.

    Attributes:
        value: bool, int, float or str as the tag's type has it, engineering units.
        status: OPC UA status code, 32 bits.
        time_ns: Source time, ns UTC.
        fresh: Not 0: a new sample since the task that looks last ran: its source time changed. `PUT`: a block, a
            request or the output stage put it in this scan. The scan keeps them (`scada.scan.tasks`).
        number: Of tags of other services that columns look at: the value as float64.
        statuses: View of `status`, uint32.
        times: View of `time_ns`, int64.
    """

    NOT_STATE = ("number", "statuses", "times")
    __slots__ = ("fresh", "number", "status", "statuses", "time_ns", "times", "value")

    def __init__(self, tags: Sequence[model.Tag]) -> None:
        """One slot per tag: its `initial` value or zero, not yet known."""
        zero: dict[str, Value] = {BOOL: False, STRING: "", **dict.fromkeys(FLOATS, 0.0)}
        self.value: list[Any] = [zero.get(t.type, 0) if t.initial is None else t.initial for t in tags]
        count = len(tags)
        self.status: MutableSequence[int] = array("I", [BAD_WAITING_FOR_INITIAL_DATA]) * count
        self.time_ns: MutableSequence[int] = array("q", [0]) * count
        self.fresh = bytearray(count)
        self.number = np.zeros(count)
        self.statuses: npt.NDArray[np.uint32] = view(self.status, np.uint32)
        self.times: npt.NDArray[np.int64] = view(self.time_ns, np.int64)

    def refresh(self, slot: int) -> None:
        """`number` of a slot from its value; from then on whoever sets the value sets both."""
        value = self.value[slot]
        self.number[slot] = 0.0 if isinstance(value, str) else value

    def restored(self) -> None:
        """`number` follows the values that a checkpoint brought."""
        for slot in range(len(self.value)):
            self.refresh(slot)


def view(buffer: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """An array over the memory of another."""
    return np.frombuffer(buffer, dtype) if len(buffer) else np.zeros(0, dtype)


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of one scan; recorded input, like the samples.

    Attributes:
        number: Of the scan, counts up.
        periods: Whole scan periods elapsed since the last scan, >= 1.
        period_ns: Scan period, ns.
        utc_ns: ns UTC.
        weekday: Civil, 0 = Monday.
        second_of_day: Civil, 0 … 86399.
        date: Civil, ISO (`2026-11-22`).
        tz_version: Of the time zone database that civil time came from.
    """

    number: int
    periods: int
    period_ns: int
    utc_ns: int
    weekday: int = 0
    second_of_day: int = 0
    date: str = ""
    tz_version: str = ""

    @property
    def dt_ns(self) -> int:
        """Elapsed since the last scan, ns."""
        return self.periods * self.period_ns


class Outputs:
    """What the program writes: parallel lists, one row per output, rows from `Binder.output`.

    An output is a writable tag: a device tag (the output stage then moves its `<path>/command`), a memory tag or a
    point of another block (`FunctionBlock.write` of that block).

    Attributes:
        path: Of the writable tag (never of `…/command`).
        slot: The tag's own slot in `Signals`: for a device tag what was read back.
        wanted: What a block asked for in this scan, engineering units; None: nothing, the command stays. The scan
            sets all to None before the blocks run.
        override: `(value, path of the interlock)` when an interlock holds the output in this scan, else None.
            Cleared with `wanted`.
        applied: The command that the output stage of the last scan came to; in Local, disarmed and before
            initialisation what was read back; None while nothing is known.
        tracking: Why `applied` differs from `wanted`: bits NOT_INITIALISED … NOT_TAKEN, 0 when it follows.
        feedback: `(value, tracking)` of a memory tag whose value another block takes on: what came of it in this scan,
            so that who writes it winds nothing up and starts from there. None: it had its way. Cleared with `wanted`.
        trackings: View of `tracking`, int64.
        asked: What a block in columns wants, float64; NaN where none drives.
        moved: `applied` where columns look, float64; NaN where it is not known there.
    """

    NOT_STATE = ("asked", "moved", "trackings")

    __slots__ = (
        "applied", "asked", "feedback", "moved", "override", "path", "slot", "tracking", "trackings", "wanted",
    )  # fmt: skip

    def __init__(self, paths: Sequence[str], slots: Sequence[int]) -> None:
        self.path = list(paths)
        self.slot = list(slots)
        count = len(self.path)
        self.wanted: list[Any] = [None] * count
        self.override: list[tuple[Any, str] | None] = [None] * count
        self.feedback: list[tuple[Any, int] | None] = [None] * count
        self.applied: list[Any] = [None] * count
        self.tracking: MutableSequence[int] = array("q", [NOT_INITIALISED]) * count
        self.trackings: npt.NDArray[np.int64] = view(self.tracking, np.int64)
        self.asked = np.full(count, np.nan)
        self.moved = np.full(count, np.nan)


class Context:
    """One scan as a block sees it.

    Attributes:
        signals: The working set.
        outputs: The outputs.
        tick: The time of this scan.
        dt_ns: `tick.dt_ns`.
        seen_ns: Of it what counts as watched: after a pause of the machine the inputs are as old as the pause. What
            moves an output at a rate, and what judges a unit by its feedback, takes this time.
        events: What was emitted in this scan; the scan takes and clears it.
    """

    __slots__ = ("dt_ns", "events", "outputs", "seen_ns", "signals", "tick")

    def __init__(self, signals: Signals, outputs: Outputs) -> None:
        self.signals = signals
        self.outputs = outputs
        self.events: list[dict[str, Any]] = []
        self.tick = Tick(0, 1, 1, 0)
        self.dt_ns = self.seen_ns = 1

    def begin(self, tick: Tick) -> None:
        """Starts a scan of one task: nothing is asked for yet."""
        self.enter(tick)
        outputs = self.outputs
        count = len(outputs.wanted)
        outputs.wanted[:] = [None] * count
        outputs.override[:] = [None] * count
        outputs.feedback[:] = [None] * count

    def enter(self, tick: Tick) -> None:
        """Time goes on as `tick` has it: that of the scan, or of the task whose blocks run now."""
        self.tick = tick
        self.dt_ns = tick.periods * tick.period_ns
        self.seen_ns = min(self.dt_ns, max(SEEN_MAX_NS, SEEN_MAX_PERIODS * tick.period_ns))

    def emit(self, kind: str, **fields: Any) -> None:
        """Records an event of this scan; `t` is filled in."""
        self.events.append({"kind": kind, "t": self.tick.utc_ns, **fields})

    def put(self, slot: int, value: Any, status: int = GOOD, *, fresh: bool = False) -> None:
        """Sets a point of a block. Its source time moves when value or status change, or when `fresh`.

        NaN and infinity never become a value: the point keeps its last one and turns Bad (BadOutOfRange).

        Args:
            slot: From `Binder.point`; negative: the block has no such point, nothing happens.
            value: As the tag's type has it, engineering units.
            status: OPC UA status code.
            fresh: A new sample even when it equals the last one.
        """
        if slot < 0:
            return
        signals = self.signals
        if isinstance(value, float) and value - value != 0.0:
            value, status = signals.value[slot], BAD_OUT_OF_RANGE
        if fresh or value != signals.value[slot] or status != signals.status[slot]:
            signals.value[slot] = value
            signals.status[slot] = status
            signals.time_ns[slot] = self.tick.utc_ns
            signals.fresh[slot] = PUT

    def drive(self, output: int, value: Any) -> None:
        """Asks for a value of an output in this scan; NaN and infinity ask for nothing.

        Args:
            output: From `Binder.output`.
            value: Engineering units.
        """
        if isinstance(value, float) and value - value != 0.0:
            return
        self.outputs.wanted[output] = value

    def override(self, output: int, value: Any, by: str) -> None:
        """Holds an output at a value in this scan, whatever blocks and requests want. The first interlock wins.

        Args:
            output: From `Binder.output`.
            value: Engineering units.
            by: Path of the interlock: it names itself where requests are rejected.
        """
        if self.outputs.override[output] is None:
            self.outputs.override[output] = (value, by)


class Binder:
    """Turns paths into slots while blocks are built; afterwards it is the program's index.

    Attributes:
        tags: All tags of the site by path.
        period_ns: Period of the task of the block that is being built, ns.
        index: Path to slot in `Signals`; grows as blocks bind.
        output_paths: Path of each output row.
        driver: Output row to the one block that drives it; such an output is written by requests only through
            `FunctionBlock.write_output`.
    """

    def __init__(self, tags: Mapping[str, model.Tag], period_ns: int) -> None:
        self.tags = tags
        self.period_ns = period_ns
        self.index: dict[str, int] = {}
        self.output_paths: list[str] = []
        self.driver: dict[int, FunctionBlock] = {}
        self._peers: dict[str, list[Any]] = {}
        self._outputs: dict[str, int] = {}

    def slot(self, path: str) -> int:
        """The slot of a tag.

        Raises:
            KeyError: The site has no such tag.
        """
        if path not in self.index:
            if path not in self.tags:
                raise KeyError(f"{path}: no such tag")
            self.index[path] = len(self.index)
        return self.index[path]

    def optional(self, path: str | None) -> int:
        """The slot of a tag, -1 for None."""
        return -1 if path is None else self.slot(path)

    def point(self, block: model.Block, name: str) -> int:
        """The slot of a block's point, -1 when the block has no such point."""
        return self.optional(block.points.get(name))

    def output(self, path: str, driver: FunctionBlock | None = None) -> int:
        """The output row of a writable tag; `driver` is the block that owns it, None for one that writes now and then."""
        if path not in self._outputs:
            self._outputs[path] = len(self.output_paths)
            self.output_paths.append(path)
            self.slot(path)
        row = self._outputs[path]
        if driver is not None:
            self.driver[row] = driver
        return row

    def peers(self, group: str) -> list[Any]:
        """A list that all blocks of a group share: each puts itself in while it is built."""
        return self._peers.setdefault(group, [])

    def condition(self, text: str | None) -> Condition | None:
        """An expression bound to the signals, None for None.

        Raises:
            ValueError: It cannot be parsed (the site's check has said so before).
        """
        if text is None:
            return None
        parsed = expression.parse(text)
        for path in parsed.paths:
            self.slot(path)
        units = {path: self.tags[path].unit for path in parsed.paths}
        return expression.bind(parsed, self.index, units)

    def paths_of(self, text: str | None) -> tuple[str, ...]:
        """The tag paths that an expression reads."""
        if text is None:
            return ()
        return tuple(expression.parse(text).paths)

    def signals(self) -> Signals:
        """The working set for everything bound so far."""
        return Signals([self.tags[path] for path in self.index])

    def outputs(self) -> Outputs:
        """The outputs bound so far."""
        return Outputs(self.output_paths, [self.index[path] for path in self.output_paths])


class FunctionBlock(ABC):
    """One function block. Life: `build`, `link`, maybe `restore`, then `step` once per scan.

    No method raises for any input; a block that does anyway is caught by the scan. A value that a block cannot act
    on (NaN, a bad or stale input) is named in the docstring of its module, with what it does then.

    Attributes:
        path: The block's name.
        RETAINED_OF: Of a class that defines `retained` itself: all attributes that this is made of and that may change, each
            a number, a text or None. While they stay, it is not asked again. Empty: it is asked each time.
    """

    __slots__ = ("path",)
    type: ClassVar[str]
    RETAINED_OF: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: model.Block, binder: Binder) -> None:
        """Binds the block to its tags; `build` is the way in."""
        del binder
        self.path = config.path

    @classmethod
    def build(cls, config: model.Block, binder: Binder) -> Self:
        """The block of a compiled configuration."""
        return cls(config, binder)

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:  # noqa: B027 - most blocks know no other
        """Finds the blocks that it works with; called once, when all are built."""

    def sampled(self, period_ns: Mapping[int, int]) -> None:  # noqa: B027 - most blocks do not ask
        """How often its inputs bring something new; called once, when all are linked.

        Args:
            period_ns: By slot, ns; without those of which nobody knows.
        """

    @abstractmethod
    def step(self, ctx: Context) -> None:
        """Runs once in the scan: reads signals, puts its points, drives its outputs."""

    def failed(self, ctx: Context) -> None:  # noqa: B027 - most blocks hold nothing
        """Its step raised, in this scan or in one before: what it holds off or holds at a value stays so.

        Args:
            ctx: The scan.
        """

    def retained(self) -> dict[str, Any]:
        """What survives a restart, as JSON."""
        return {}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:  # noqa: B027 - stateless blocks
        """Takes back what `retained` gave, before the first step. Parts that do not fit are left out.

        Args:
            state: As JSON brought it back.
            fresh: The state is recent enough to restart in the last mode; else modes become Manual.
        """

    def needed_by(self, output: int) -> Collection[int] | None:
        """Slots that must have been read before an output that it touches is driven first; None: all that it reads.

        Args:
            output: Row from `Binder.output`.
        """
        del output
        return None

    def to_manual(self) -> None:  # noqa: B027 - blocks without a mode
        """Goes to Manual without a bump (repeated crashes); nothing for a block without a mode."""

    def write(self, point: str, value: Any) -> str | None:
        """A request to write a point, before the step of the same scan.

        Args:
            point: For example `SP`.
            value: Coerced to the type of the point's tag and within the tag's limits.

        Returns:
            None when taken, else why it is refused, naming the block.
        """
        del value
        return f"{self.path}/{point} is computed: it cannot be written"

    def write_output(self, output: int, value: Any) -> str | None:
        """A request to write an output that this block drives; taken only in Manual.

        Args:
            output: Row from `Binder.output`.
            value: Coerced to the output tag's type.

        Returns:
            None when taken, else why it is refused.
        """
        del output, value
        return f"{self.path} drives this output"


class Inhibitable(FunctionBlock):
    """A block that an interlock can hold off: a motor is stopped, a valve is closed."""

    __slots__ = ()

    @abstractmethod
    def inhibit(self, ctx: Context, by: str, *, active: bool) -> None:
        """Holds the unit off, or lets go, in this scan and until called again.

        Args:
            ctx: The scan; the block may have been stepped in it already.
            by: Path of the interlock.
            active: Hold off or let go.
        """
