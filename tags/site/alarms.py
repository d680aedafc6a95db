"""Alarms: what is written at a tag, and those that come with devices, blocks and forces."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Final

from tags.model import ALARM, Alarm, Device, Tag
from tags.site import models
from tags.site.building import Building, Scope
from tags.site.fields import Quantity
from tags.types import BOOL, INT32, STRING

HIGH, LOW, STATE, QUALITY = "high", "low", "state", "quality"
SHELVE_MAX_NS: Final = 8 * 3_600_000_000_000
SLOW_FROM: Final = 1.5  # of the states 0 Not connected, 1 Connected, 2 Slow
SLOW_DELAY_NS: Final = 10_000_000_000
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")
_SIDE: Final = {"HH": HIGH, "H": HIGH, "L": LOW, "LL": LOW}
_WORDS: Final = {"HH": "very high", "H": "high", "L": "low", "LL": "very low"}
_ORDER: Final = ("LL", "L", "H", "HH")


def compile_alarms(scope: Scope, given: Mapping[str, models.Alarm], tag: Tag) -> None:
    """The alarms written at one tag."""
    limits: dict[str, float] = {}
    for name, model in given.items():
        loc = ("alarms", name)
        if not _NAME.fullmatch(name) or name.casefold() == "command":
            scope.report(
                loc, f"{name!r} is not a name for an alarm. Use HH, H, L, LL, or a word of letters.", key=True
            )
            continue
        alarm = _alarm(scope, loc, name, model, tag)
        if alarm is not None:
            if alarm.kind in (HIGH, LOW):
                limits[name] = alarm.limit
            add(scope.build, alarm, scope, tag)
    ordered = [name for name in _ORDER if name in limits]
    for lower, upper in itertools.pairwise(ordered):
        if limits[lower] >= limits[upper]:
            scope.report(
                ("alarms", upper),
                f"{upper} at {limits[upper]:g} is not above {lower} at {limits[lower]:g}. Correct one.",
                key=True,
            )


def add(build: Building, alarm: Alarm, scope: Scope | None, tag: Tag) -> None:
    """Takes an alarm and the tag that holds its state."""
    state = Tag(
        id=0,
        path=alarm.path,
        type=INT32,
        kind=ALARM,
        writer="control",
        row=0,
        description=alarm.message,
        decimals=0,
        step=True,
        retain=True,
        display=tag.display,
        place=tag.place,
        was=None if tag.was is None else f"{tag.was}/{alarm.path.rpartition('/')[2]}",
    )
    if build.add(state, scope.source if scope else None):
        build.alarms.append(alarm)


# Tag, alarm, kind (limit 0.5), delay in ns, priority, message, response.
_OWN: Final = (
    ("control/defects", "control/FAILED", HIGH, 0, "high", "A part of the control program has failed and stands",
     "See the events for which and why. Run its unit by hand, and report the message"),
    ("control/forces", "control/FORCED", HIGH, 0, "low", "Values are forced by hand",
     "See the list of forces. Take back what is not needed"),
    ("control/overruns_minute", "control/OVERRUN", HIGH, 0, "low", "Scans were left out in the last minute",
     "Run scada doctor on this machine: what it grants, and how late scans start. Or write a longer period"),
    ("historian/ok", "historian/FAILED", LOW, 3_000_000_000, "high", "History does not reach the disk",
     "Make room on its disk, see the events. The plant goes on; what is new waits for a while"),
    ("opcua/certificate_ends", "opcua/CERTIFICATE", HIGH, 60_000_000_000, "low",
     "The certificate of the OPC UA server ends within 30 days",
     "Run scada certs renew, and let every OPC UA client trust the new certificate"),
)  # fmt: skip


def of_devices(build: Building, devices: list[Device]) -> None:
    """One communication alarm per device, one that it is slow, those of control (a defect, anything forced), and that of history."""
    shelve_max_ns = _first(None, build.defaults.alarm.shelve_max, SHELVE_MAX_NS)
    for device in devices:
        connected = build.tags[f"system/{device.name}/connected"]
        alarm = Alarm(
            path=f"system/{device.name}/COMMS",
            tag=connected.path,
            kind=QUALITY,
            on_delay_ns=1_000_000_000,
            off_delay_ns=1_000_000_000,
            priority=device.comms_priority,
            message=f"{device.name} does not answer",
            response=device.comms_response,
            shelve_max_ns=shelve_max_ns,
        )
        add(build, alarm, None, connected)
        state = build.tags[f"system/{device.name}/state"]
        slow = Alarm(
            path=f"system/{device.name}/SLOW",
            tag=state.path,
            kind=HIGH,
            limit=SLOW_FROM,
            on_delay_ns=SLOW_DELAY_NS,
            off_delay_ns=SLOW_DELAY_NS,
            priority="low",
            message=f"{device.name} does not keep its scan periods",
            response="See in the system tags of the device which period it keeps, and in the manual why a device is slow",
            shelve_max_ns=shelve_max_ns,
        )
        add(build, slow, None, state)
    for key, name, kind, delay_ns, priority, message, response in _OWN:
        watched = build.tags.get(f"system/{key}")
        if watched is not None:
            own = Alarm(
                path=f"system/{name}",
                tag=watched.path,
                kind=kind,
                limit=0.5,
                on_delay_ns=delay_ns,
                off_delay_ns=delay_ns,
                priority=priority,
                message=message,
                response=response,
                shelve_max_ns=shelve_max_ns,
            )
            add(build, own, None, watched)


def of_point(
    scope: Scope, point: Tag, message: str, priority: str, response: str, device: str | None
) -> None:
    """The alarm of a block's bool point, `<point>/ALARM`."""
    alarm = Alarm(
        path=f"{point.path}/ALARM",
        tag=point.path,
        kind=STATE,
        priority=priority,
        message=message,
        response=response,
        device=device,
        confirm=bool(scope.build.defaults.alarm.confirm),
        shelve_max_ns=_first(None, scope.build.defaults.alarm.shelve_max, SHELVE_MAX_NS),
    )
    add(scope.build, alarm, scope, point)


def _alarm(scope: Scope, loc: tuple[str, str], name: str, model: models.Alarm, tag: Tag) -> Alarm | None:
    defaults = scope.build.defaults.alarm
    kind, limit, deadband = STATE, 0.0, 0.0
    if tag.type == STRING:
        scope.report(loc, "a text has no alarms. Leave it out.", key=True)
        return None
    if tag.type == BOOL:
        if model.when is None or model.above is not None or model.below is not None:
            scope.report(
                loc,
                f"alarm {name} of a bool needs when: true or when: false, and neither above: nor below:.",
                key=True,
            )
            return None
        if not model.when:  # false is below one half, and true is not
            kind, limit = LOW, 0.5
        message = tag.states.get(str(int(model.when))) or name
    else:
        found = _limit(scope, loc, name, model, tag)
        if found is None:
            return None
        kind, limit, deadband = found
        message = _WORDS.get(name) or name
    return Alarm(
        path=f"{tag.path}/{name}",
        tag=tag.path,
        kind=kind,
        limit=limit,
        deadband=deadband,
        on_delay_ns=_first(model.on_delay, defaults.on_delay),
        off_delay_ns=_first(model.off_delay, defaults.off_delay),
        priority=model.priority or defaults.priority or "medium",
        message=model.message or f"{tag.description or tag.path}: {message}",
        response=model.response,
        unless=model.unless,  # checked once all tags are known
        device=tag.device,
        confirm=bool(defaults.confirm if model.confirm is None else model.confirm),
        shelve_max_ns=_first(model.shelve_max, defaults.shelve_max, SHELVE_MAX_NS),
    )


def _limit(
    scope: Scope, loc: tuple[str, str], name: str, model: models.Alarm, tag: Tag
) -> tuple[str, float, float] | None:
    """Kind, limit and dead band of a limit alarm."""
    if (model.above is None) == (model.below is None) or model.when is not None:
        scope.report(
            loc, f"alarm {name} of a number needs above: or below:, one of them, and no when:.", key=True
        )
        return None
    side, quantity = ("above", model.above) if model.above is not None else ("below", model.below)
    kind = HIGH if side == "above" else LOW
    if _SIDE.get(name, kind) != kind or quantity is None:
        scope.report(
            (*loc, side), f"alarm {name} needs {'above' if kind == LOW else 'below'}:, not {side}:.", key=True
        )
        return None
    limit = scope.measure((*loc, side), quantity, tag.unit)
    if limit is None:
        return None
    if tag.range is not None and not tag.range[0] <= limit <= tag.range[1]:
        scope.report(
            (*loc, side),
            f"{limit:g} is outside the range {tag.range[0]:g} … {tag.range[1]:g}: the alarm could never come."
            " Correct the limit or the range.",
        )
    span = tag.range[1] - tag.range[0] if tag.range else None
    given = model.deadband or scope.build.defaults.alarm.deadband or Quantity(0.0)
    deadband = scope.difference((*loc, "deadband"), given, tag.unit, span, needed=model.deadband is not None)
    return kind, limit, deadband


def _first(given: int | None, default: int | None, otherwise: int = 0) -> int:
    return given if given is not None else default if default is not None else otherwise


def check_unless(build: Building, scopes: Mapping[str, Scope]) -> None:
    """Checks the suppression conditions, once all tags are known."""
    for alarm in build.alarms:
        if alarm.unless is not None and alarm.tag in scopes:
            scopes[alarm.tag].checked(("alarms", alarm.path.rpartition("/")[2], "unless"), alarm.unless)
