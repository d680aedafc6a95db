"""One block in the making: the tags that it names, and who writes what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tags.model import ALARM, BLOCK, DEVICE, MEMORY, Tag
from tags.site import control_models as cm
from tags.site.building import Scope, a, of_people
from tags.site.schedules import Calendar
from tags.site.sources import Loc
from tags.types import BOOL, STRING

Config = dict[str, Any]


@dataclass(slots=True)
class Writers:
    """Who writes each output: two writers are a mistake.

    Attributes:
        owner: Block by point tag path.
        taken: Block path by written tag path.
    """

    owner: Mapping[str, str]
    taken: dict[str, str] = field(default_factory=dict)

    def claim(self, scope: Scope, loc: Loc, path: str, block: str) -> None:
        """Takes an output for a block, or reports who has it."""
        other = self.taken.setdefault(path, block)
        if other != block:
            scope.report(loc, f"{path} is written by {other} too. A tag has one writer: keep one of them.")


@dataclass(frozen=True, slots=True)
class Job:
    """One block being compiled."""

    scope: Scope
    path: str
    models: Mapping[str, cm.Block]
    calendars: Mapping[str, Calendar]
    writers: Writers
    scan_ns: int

    def input(self, loc: Loc, path: str, wanted: str) -> Tag | None:
        """A tag that the block reads: `number`, `bool` or `` for any but texts."""
        tag = self.scope.tag(loc, path)
        if tag is None:
            return None
        if tag.kind == ALARM:
            self.scope.report(loc, of_people(tag))
            return None
        is_bool = tag.type == BOOL
        if tag.type == STRING or (wanted == "number" and is_bool) or (wanted == "bool" and not is_bool):
            self.scope.report(
                loc, f"{path} is {a(tag.type)}, and a {wanted or 'number'} is wanted here. Name another tag."
            )
            return None
        return tag

    def output(self, loc: Loc, path: str, wanted: str, *, claim: bool = True) -> Tag | None:
        """A tag that the block writes."""
        tag = self.input(loc, path, wanted)
        if tag is None:
            return None
        if not (tag.owner if tag.kind == DEVICE else tag.kind in (MEMORY, BLOCK) and tag.writable):
            what = "Give it owner: scada, plc or shared" if tag.kind == DEVICE else "Name another tag"
            self.scope.report(loc, f"{path} cannot be written. {what}.")
            return None
        if claim:
            self.writers.claim(self.scope, loc, path, self.path)
        return tag

    def setpoint(self, setpoint: cm.Setpoint, pv: Tag | None) -> Config:
        """The settings of a set point, in the unit of the PV."""
        scope, unit = self.scope, pv.unit if pv else None
        sp_tag = None
        if setpoint.tag is not None:
            sp_tag = self.input(("setpoint", "tag"), setpoint.tag, "number")
            for key in ("initial", "limits"):
                if getattr(setpoint, key) is not None:
                    scope.report(
                        ("setpoint", key),
                        f"the set point is {setpoint.tag}: {key}: belongs there. Move it.",
                        key=True,
                    )
        limits = scope.pair(("setpoint", "limits"), setpoint.limits, unit)
        followed = (sp_tag.limits or sp_tag.range) if sp_tag else None
        limits = limits or followed or (pv.range if pv else None)
        initial = setpoint.initial
        return {
            "setpoint_tag": setpoint.tag if sp_tag is None else sp_tag.path,
            "sp_low": limits[0] if limits else None,
            "sp_high": limits[1] if limits else None,
            "sp_initial": None if initial is None else scope.measure(("setpoint", "initial"), initial, unit),
            "ramp": scope.rate(("setpoint", "ramp"), setpoint.ramp, unit, span(pv)),
        }


def span(tag: Tag | None) -> float | None:
    """Width of a tag's range, None when it has none."""
    return tag.range[1] - tag.range[0] if tag is not None and tag.range else None
