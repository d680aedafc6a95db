"""The program of a site: every tag that the scan touches in its slot, every output with what guards it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scada.alarms import Alarms
from scada.blocks import registry
from scada.blocks.base import Binder, Condition, FunctionBlock
from scada.scan import tasks
from scada.scan.tasks import TaskPlan
from tags.model import DEVICE, MEMORY, OWNER_SCADA, Site, Tag
from tags.scaling import resolution
from tags.types import BOOL, FLOATS, INTEGER_RANGE, STRING, UINT64

CONTROL: Final = "control"
FORCES_TAG: Final = "system/control/forces"
BYPASSES_TAG: Final = "system/control/bypasses"
FAILED_TAG: Final = "system/control/defects"
SHADOW_TAG: Final = "system/control/shadow"

# How the command of an output moves.
HOLD = "hold"  # we hold it: the command is a level
ASK = "ask"  # asked once, held until the field acted, then followed
PULSE = "pulse"  # true until the field acted
OWN = "own"  # a tag of control itself: memory, or a point of a block


@dataclass(frozen=True, slots=True)
class Plan:
    """One output, as compiled.

    Attributes:
        row: Its row in `blocks.base.Outputs`.
        tag: The writable tag.
        way: `HOLD`, `ASK`, `PULSE` or `OWN`.
        slot: Of the tag: what is read back.
        command: Slot of its command tag; -1 for `OWN`.
        remote: Slot of the unit's Local/Remote selector, or -1.
        armed: Slot of the device's `armed`, or -1: never armed.
        low: Least command, engineering units, or None.
        high: Largest command, or None.
        rate: Largest change, engineering units a second; 0 for none.
        close: Values this near are the same for a restart, engineering units.
        tolerance: A read back this near is a confirmation.
        driver: Position of the block that drives it, or -1.
        point: For a point of a block: the block's position and the point's name; else None.
        needs: Slots of other services' tags that must have been read before it is driven.
    """

    row: int
    tag: Tag
    way: str
    slot: int
    command: int = -1
    remote: int = -1
    armed: int = -1
    low: float | None = None
    high: float | None = None
    rate: float = 0.0
    close: float = 0.0
    tolerance: float = 0.0
    driver: int = -1
    point: tuple[int, str] | None = None
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """What a site compiles to.

    Attributes:
        site: The site.
        tags: All its tags by path.
        slots: The tag of each slot. The first `own` slots are control's own rows in order: slot = row.
        index: Path to slot.
        own: Number of control's own tags.
        outputs: By row.
        output_of: Path of a writable tag to its row.
        points: Path of a block's point to the block's position and the point's name.
        forces: Slot of the count of forces, or -1.
        failed: Slot of the count of what raised and stands, or -1.
        shadow: Slot of `system/control/shadow`, or -1.
        tasks: In order of priority.
        restarts: For each device that field watches for restarts: the slot of the count, its tags' slots, its outputs' rows.
        touched: By block: the output rows that it touches.
        order: Paths in the order of their slots.
    """

    site: Site
    tags: dict[str, Tag]
    slots: tuple[Tag, ...]
    index: dict[str, int]
    own: int
    outputs: tuple[Plan, ...]
    output_of: dict[str, int]
    points: dict[str, tuple[int, str]]
    forces: int
    failed: int
    shadow: int
    tasks: tuple[TaskPlan, ...]
    restarts: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    touched: tuple[frozenset[int], ...]
    order: tuple[str, ...]


class Recorder(Binder):
    """A binder that also notes what each block reads and which outputs it touches."""

    def __init__(self, site: Site, tags: dict[str, Tag], order: Sequence[str] = ()) -> None:
        super().__init__(tags, site.scan_ns)
        self.reads: set[int] = set()
        self.rows: set[int] = set()
        self.touched: list[set[int]] = []  # by block
        for path in order or [tag.path for tag in site.of_writer(CONTROL)]:
            self.slot(path)

    def slot(self, path: str) -> int:
        """As `Binder.slot`, noted."""
        slot = super().slot(path)
        self.reads.add(slot)
        return slot

    def output(self, path: str, driver: FunctionBlock | None = None) -> int:
        """As `Binder.output`, noted."""
        row = super().output(path, driver)
        self.rows.add(row)
        return row


class Sketch(Recorder):
    """A recorder of what blocks read, for who does not run them: conditions are only looked through."""

    def condition(self, text: str | None) -> Condition | None:
        """One that says nothing."""
        if text is None:
            return None
        for path in self.paths_of(text):
            self.slot(path)
        return _nothing


def _nothing(values: Sequence[Any], statuses: Sequence[int]) -> tuple[Any, int]:
    del values, statuses
    return False, 0


def bind(
    site: Site, tags: dict[str, Tag], order: Sequence[str] = (), *, sketch: bool = False
) -> tuple[Recorder, list[FunctionBlock], Alarms, dict[int, set[int]]]:
    """Builds blocks and alarms, the same way each time.

    Args:
        site: The site.
        tags: All its tags by path.
        order: Paths of all slots; () for as they are met.
        sketch: Only what is read and written counts; the blocks will not run.

    Returns:
        The binder, the blocks, the alarms, and for each output row the slots that its blocks read.
    """
    binder = (Sketch if sketch else Recorder)(site, tags, order)
    blocks: list[FunctionBlock] = []
    needs: dict[int, set[int]] = {}
    reads: list[set[int]] = []
    period_ns = {task.name: task.period_ns for task in tasks.of_site(site)}
    for config in site.blocks:
        binder.reads, binder.rows = set(), set()
        binder.period_ns = period_ns.get(config.task, site.scan_ns)
        blocks.append(registry.build(config, binder))
        reads.append(binder.reads)
        binder.touched.append(binder.rows)
    binder.period_ns = site.scan_ns
    binder.reads, binder.rows = set(), set()  # what is bound from here on is no input of the last block
    maker = {
        binder.slot(path): number for number, one in enumerate(site.blocks) for path in one.points.values()
    }
    position = {id(block): number for number, block in enumerate(blocks)}
    for row, block in binder.driver.items():  # what one block writes and another reads
        path = binder.output_paths[row]
        if tags[path].kind == MEMORY:
            maker.setdefault(binder.slot(path), position[id(block)])
    for number, rows in enumerate(binder.touched):
        for row in rows:
            first = blocks[number].needed_by(row)
            needs.setdefault(row, set()).update(_sources(number, reads, maker, first))
    by_path = {block.path: block for block in blocks}
    sampled = _sampled(site, tags, binder, reads, maker)
    for block in blocks:
        block.link(by_path)
        block.sampled(sampled)
    watch = Alarms(site.alarms, binder)
    for tag in site.tags:
        if tag.kind == DEVICE and tag.command is not None:
            binder.output(tag.path)
            binder.slot(tag.command)
            binder.optional(tag.remote)
            if f"system/{tag.device}/armed" in tags:
                binder.slot(f"system/{tag.device}/armed")
            if f"system/{tag.device}/restarts" in tags:
                binder.slot(f"system/{tag.device}/restarts")
    return binder, blocks, watch, needs


def _sampled(
    site: Site, tags: Mapping[str, Tag], binder: Binder, reads: Sequence[set[int]], maker: Mapping[int, int]
) -> dict[int, int]:
    """By slot: the period in which new samples come, ns: as a device is asked, or as what a block makes it of.

    A block has something new when one of its inputs has, in its next run. What nobody knows is left out.

    Args:
        site: The site.
        tags: All its tags by path.
        binder: After all blocks are built.
        reads: Slots that each block reads.
        maker: By slot: the block whose point it is.
    """
    found = {slot: tags[path].scan_ns for path, slot in binder.index.items() if tags[path].scan_ns}
    period_ns = {task.name: task.period_ns for task in tasks.of_site(site)}
    makes: dict[int, list[int]] = {}
    for slot, number in maker.items():
        makes.setdefault(number, []).append(slot)
    for _ in range(len(site.blocks)):  # in their order once is enough, but tasks and cascades may lie across
        before = dict(found)
        for number, points in makes.items():
            known = [found[slot] for slot in reads[number] if slot in found and maker.get(slot) != number]
            if known:
                own_ns = period_ns.get(site.blocks[number].task, site.scan_ns)
                found.update(dict.fromkeys(points, max(own_ns, min(known))))
        if found == before:
            break
    return found


def _sources(
    block: int, reads: Sequence[set[int]], maker: Mapping[int, int], first: Collection[int] | None
) -> set[int]:
    """All slots that a block depends on, also through the points of the blocks that it reads.

    Args:
        block: Its position.
        reads: Slots that each block reads.
        maker: By slot: the block whose point it is.
        first: Of the block itself only these; None for all.
    """
    found: set[int] = set()
    seen = {block}
    todo = [block]
    while todo:
        number = todo.pop()
        for slot in first if number == block and first is not None else reads[number]:
            found.add(slot)
            other = maker.get(slot, -1)
            if other >= 0 and other not in seen:
                seen.add(other)
                todo.append(other)
    return found


def build(site: Site) -> Program:
    """The program of a compiled site.

    Raises:
        ValueError: A block's configuration does not fit; `scada check` says so before.
    """
    tags = site.by_path()
    binder, blocks, _, needs = bind(site, tags, _order(site, tags))
    position = {id(block): number for number, block in enumerate(blocks)}
    points = {
        path: (number, name)
        for number, config in enumerate(site.blocks)
        for name, path in config.points.items()
    }
    own = len(site.of_writer(CONTROL))
    slots = tuple(tags[path] for path in binder.index)
    plans = []
    for row, path in enumerate(binder.output_paths):
        block = binder.driver.get(row)
        slot = binder.index[path]
        foreign = {
            need for need in needs.get(row, ()) if need >= own and need != slot and slots[need].kind == DEVICE
            and not (slots[need].command is not None and slots[need].kind == DEVICE and _pulse(slots[need]))
        }  # fmt: skip
        driver = -1 if block is None else position[id(block)]
        plans.append(_plan(binder, tags[path], row, driver, points.get(path), tuple(sorted(foreign))))
    return Program(
        site=site,
        tags=tags,
        slots=slots,
        index=dict(binder.index),
        own=own,
        outputs=tuple(plans),
        output_of={plan.tag.path: plan.row for plan in plans},
        points=points,
        forces=_own(binder.index.get(FORCES_TAG, -1), own),
        failed=_own(binder.index.get(FAILED_TAG, -1), own),
        shadow=_own(binder.index.get(SHADOW_TAG, -1), own),
        tasks=tasks.plan(site, binder.touched),
        restarts=_restarts(site, slots, plans, binder.index),
        touched=tuple(frozenset(rows) for rows in binder.touched),
        order=tuple(binder.index),
    )


def _restarts(
    site: Site, slots: Sequence[Tag], plans: Sequence[Plan], index: Mapping[str, int]
) -> tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]:
    counts = {device.name: index.get(f"system/{device.name}/restarts", -1) for device in site.devices}
    return tuple(
        (
            count,
            tuple(n for n, tag in enumerate(slots) if tag.kind == DEVICE and tag.device == name),
            tuple(plan.row for plan in plans if plan.way == HOLD and plan.tag.device == name),
        )
        for name, count in counts.items()
        if count >= 0
    )


def _order(site: Site, tags: dict[str, Tag]) -> tuple[str, ...]:
    """Own rows, then the tags of other services by kind of value and row: what comes together lies together."""
    met = bind(site, tags, sketch=True)[0].index
    own = len(site.of_writer(CONTROL))
    paths = list(met)
    kinds = {path: kind_of(tags[path].type) for path in paths}
    others = sorted(paths[own:], key=lambda path: (tags[path].writer, kinds[path], tags[path].row))
    return (*paths[:own], *others)


def kind_of(type_: str) -> int:
    """0 for floats, 1 for bool, 2 for whole numbers, 3 for uint64, 4 for texts: the order of slots."""
    if type_ in FLOATS:
        return 0
    return {BOOL: 1, UINT64: 3, STRING: 4}.get(type_, 2)


def own_slot(program: Program, path: str) -> int:
    """The slot of a tag of control itself, or -1."""
    return _own(program.index.get(path, -1), program.own)


def _own(slot: int, own: int) -> int:
    return slot if slot < own else -1


def _pulse(tag: Tag) -> bool:
    return tag.write is not None and tag.write.mode == PULSE


def _plan(
    binder: Binder, tag: Tag, row: int, driver: int, point: tuple[int, str] | None, needs: tuple[int, ...]
) -> Plan:
    slot = binder.index[tag.path]
    low, high = _bounds(tag)
    if tag.kind != DEVICE or tag.command is None:
        return Plan(row=row, tag=tag, way=OWN, slot=slot, low=low, high=high, driver=driver, point=point)
    write = tag.write
    return Plan(
        row=row,
        tag=tag,
        way=PULSE if _pulse(tag) else HOLD if tag.owner == OWNER_SCADA else ASK,
        slot=slot,
        command=binder.index[tag.command],
        remote=-1 if tag.remote is None else binder.index[tag.remote],
        armed=binder.index.get(f"system/{tag.device}/armed", -1),
        low=low,
        high=high,
        rate=tag.rate,
        close=max(write.tolerance, write.deadband) + _rounding(tag) if write else 0.0,
        tolerance=(write.tolerance if write else 0.0) + _rounding(tag),
        driver=driver,
        needs=needs,
    )


def _bounds(tag: Tag) -> tuple[float | None, float | None]:
    if tag.type == BOOL:
        return None, None
    if tag.limits is not None:
        return tag.limits
    if tag.range is not None:
        return tag.range
    return INTEGER_RANGE.get(tag.type, (None, None))


def _rounding(tag: Tag) -> float:
    """Half a raw count and a little: what a device of whole numbers cannot read back better."""
    if tag.type not in FLOATS:
        return 0.0
    return (
        resolution(tag.scaling) * 0.51
        if tag.address and str(tag.address.get("type", "int")) not in FLOATS
        else 1e-6
    )
