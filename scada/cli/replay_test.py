"""`replay --to-test`: a stretch of a recording becomes a plant test of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from scada.alarms.state import ACTIVE, MASKS, UNACKED
from scada.cli.render import OK, USAGE, failed, local_text, out
from tags.model import ALARM
from tags.types import BOOL, FLOATS, STRING

if TYPE_CHECKING:
    from historian.recorded import Recording
    from scada.cli.replay import Range
    from scada.scan import Program, State

_LONGEST_NS: Final = 24 * 3_600_000_000_000
_LOOKS: Final = 30  # at outputs that move all the time
_STEPS_MAX: Final = 400
_TOLERANCE: Final = 0.005  # of the range


def write(found: list[Recording], wanted: Range, path: Path) -> int:
    """Writes the test and, beside it, the recording that it runs."""
    from historian.excerpt import Excerpt  # noqa: PLC0415 - other verbs start faster without
    from scada.scan import Replay  # noqa: PLC0415

    beside = path.with_suffix(".rec")
    if path.suffix not in (".yaml", ".yml"):
        raise failed(f"{path}: a test is a YAML file. Name it {path.with_suffix('.yaml')}.", USAGE)
    for one in (path, beside):
        if one.exists():
            raise failed(f"{one} is there already. Name a new file.", USAGE)
    if not path.parent.is_dir():
        raise failed(f"{path.parent} is no folder. Make it first: tests/ in the folder of the site.", USAGE)
    for recording in found:
        replay = Replay(recording.program, strict=False)
        excerpt: Excerpt | None = None
        seen: _Watch | None = None
        for item in _with_state(replay, recording, wanted):
            if excerpt is None or seen is None:
                excerpt = Excerpt(recording.program, item.before, item.utc_ns)
                seen = _Watch(recording.program, item.utc_ns)
            excerpt.add([item.scan])
            seen.look(item.after, item.utc_ns)
            if item.utc_ns - seen.begin_ns > _LONGEST_NS:
                raise failed("That is more than a day. Name the stretch with --from and --until.", USAGE)
        if excerpt is None or seen is None:
            continue
        excerpt.write(beside)
        path.write_text(_yaml(path, beside, recording, seen), encoding="utf-8")
        site = path.parent.parent if path.parent.name == "tests" else path.parent
        size = beside.stat().st_size / 1e3
        out.print(f"{path}: {len(seen.steps)} steps; {beside.name}: {size:.0f} kB.", markup=False)
        out.print(
            f"Change what is expected to what should have happened, then: scada test {site}", markup=False
        )
        return OK
    raise failed("There is no scan in that time.")


class _Item:
    """One scan, with the state before and after it."""

    __slots__ = ("after", "before", "scan", "utc_ns")

    def __init__(self, scan: Any, before: Any, after: Any) -> None:
        self.scan, self.before, self.after = scan, before, after
        self.utc_ns: int = scan.tick.utc_ns


def _with_state(replay: Any, recording: Recording, wanted: Range) -> Any:
    """The scans of the stretch; the state before the first of them is a copy."""
    from scada.scan import checkpoint  # noqa: PLC0415

    before = None
    began = False
    program = recording.program

    def loaded(state: State) -> None:
        nonlocal before
        before = checkpoint.load(program, checkpoint.dump(program, state))

    replay.began = loaded
    waiting = None  # the dump before the scan that may be the first
    for done in replay.run(wanted.items(recording)):
        tick = done.scan.tick
        if wanted.over(tick.number, tick.utc_ns):
            return
        if not began and not wanted.begun(tick.number, tick.utc_ns):
            following = tick.number + 1, tick.utc_ns + recording.site.scan_ns * 3
            if wanted.begun(*following):
                waiting = checkpoint.dump(program, replay.state)
            continue
        if not began:
            began = True
            if waiting is not None:
                before = checkpoint.load(program, waiting)
        yield _Item(done.scan, before, replay.state)


class _Watch:
    """What is to be expected: commands that moved, alarms that changed, modes."""

    def __init__(self, program: Program, begin_ns: int) -> None:
        self.begin_ns = begin_ns
        self.steps: list[dict[str, Any]] = []
        self._program = program
        self._slots = [
            (plan.command, f"{plan.tag.path}/command", plan.tag.type)
            for plan in program.outputs
            if plan.command >= 0 and plan.tag.type != STRING
        ]
        self._alarms = [
            (slot, tag.path) for slot, tag in enumerate(program.slots[: program.own]) if tag.kind == ALARM
        ]
        self._modes = [
            (program.index[path], path)
            for path, (_, name) in program.points.items()
            if name == "MODE" and path in program.index
        ]
        self._last: dict[str, Any] = {}
        self._moving: dict[str, Any] = {}
        self._moving_since = begin_ns

    def look(self, state: State, utc_ns: int) -> None:
        """One scan."""
        value, status = state.signals.value, state.signals.status
        expect: dict[str, Any] = {}
        alarms: dict[str, str] = {}
        for slot, path, type_ in self._slots:
            if status[slot] >> 30:
                continue
            if type_ in FLOATS:
                self._moving[path] = value[slot]
            elif self._changed(path, value[slot]):
                expect[path] = self._stated(path, value[slot])
        for slot, path in self._modes:
            if not status[slot] >> 30 and self._changed(path, value[slot]):
                expect[path] = self._stated(path, value[slot])
        for slot, path in self._alarms:
            if self._changed(path, value[slot]):
                alarms[path] = _alarm_text(int(value[slot]))
        since = utc_ns - self._moving_since
        if since >= self._pause() or not self.steps:
            self._moving_since = utc_ns
            for path, now in self._moving.items():
                if self._changed(path, now):
                    expect[path] = self._number(path, now)
        if (expect or alarms) and len(self.steps) < _STEPS_MAX:
            step: dict[str, Any] = {"at": _seconds(utc_ns - self.begin_ns)}
            if expect:
                step["expect"] = expect
            if alarms:
                step["alarms"] = alarms
            self.steps.append(step)

    def _pause(self) -> int:
        return max(1, len(self.steps) // _LOOKS) * 5_000_000_000

    def _changed(self, path: str, value: Any) -> bool:
        if path in self._last and self._last[path] == value:
            return False
        self._last[path] = value
        return True

    def _stated(self, path: str, value: Any) -> Any:
        tag = self._program.tags[path.removesuffix("/command")]
        if tag.type == BOOL:
            return bool(value)
        return tag.states.get(str(int(value)), int(value))

    def _number(self, path: str, value: float) -> Any:
        tag = self._program.tags[path.removesuffix("/command")]
        low, high = tag.range or tag.limits or (0.0, 100.0)
        tolerance = abs(high - low) * _TOLERANCE
        unit = f" {tag.unit}" if tag.unit else ""
        return {"value": f"{value:.6g}{unit}", "tolerance": f"{tolerance:.3g}{unit}"}


def _alarm_text(bits: int) -> str:
    if bits & MASKS:
        return "suppressed"
    return {0: "normal", ACTIVE: "acknowledged", UNACKED: "returned"}.get(
        bits & (ACTIVE | UNACKED), "unacknowledged"
    )


def _seconds(ns: int) -> str:
    """In whole ms, not after it: the scan at or after that time is the one."""
    return f"{ns // 1_000_000 / 1e3:.3f}".rstrip("0").rstrip(".") + " s"


def _yaml(path: Path, beside: Path, recording: Recording, seen: _Watch) -> str:
    zone = recording.site.timezone
    name = path.stem.replace("-", " ").replace("_", " ")
    test = {
        "description": f"Recorded {local_text(seen.begin_ns, zone)} ({zone})",
        "recording": beside.name,
        "steps": seen.steps,
    }
    text = yaml.safe_dump({"tests": {name: test}}, sort_keys=False, allow_unicode=True, width=110)
    return (
        "# A recorded incident, given to the control program again. What is expected is what happened;\n"
        "# change it to what should have happened.\n" + text
    )
