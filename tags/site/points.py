"""Tags of devices and memory: one YAML entry to one compiled tag, with its command and its alarms."""

from __future__ import annotations

from collections.abc import Mapping

from tags import units
from tags.model import (
    DEVICE,
    MEMORY,
    OWNER_SCADA,
    Scaling,
    Tag,
)
from tags.site import models
from tags.site.alarms import compile_alarms
from tags.site.building import Building, Scope, a
from tags.site.devices import DeviceBuild, parse_address
from tags.site.history import history_of, is_analog
from tags.site.outputs import changed, command_of, output
from tags.site.templates import Entry
from tags.site.validate import validate
from tags.types import BOOL, FLOAT64, FLOATS, INTEGER_RANGE, STRING

_OUTPUT_KEYS = ("write", "on_loss", "rate", "stop")
_DEVICE_KEYS = ("address", "raw", "scale", "offset", "bad_outside", "scan", "owner", "remote", *_OUTPUT_KEYS)


def compile_tag(
    build: Building, entry: Entry, devices: Mapping[str, DeviceBuild], known_devices: Mapping[str, object]
) -> None:
    """Compiles one entry into the building: the tag, its command if it is writable at a device, its alarms."""
    if build.problems.full or not build.check_path(entry.path, entry.source.place()):
        return
    scope = Scope(build, entry.source, entry.path)
    model = validate(models.Tag, entry.data, entry.source, entry.path, build.problems)
    if model is None:
        # Others may name it: they should not be told that it is unknown.
        build.add(_placeholder(entry), entry.source)
        return
    tag = _tag(scope, model)
    if model.device is None:
        tag = _memory(scope, model, tag)
    else:
        tag = _of_device(scope, model, tag, devices, known_devices)
    tag = _values(scope, model, tag)
    if not build.add(tag, entry.source):
        return
    if tag.device in devices:
        devices[str(tag.device)].tags.append(tag)
    if tag.owner is not None:
        build.add(command_of(tag), entry.source)
    compile_alarms(scope, model.alarms, tag)


def _placeholder(entry: Entry) -> Tag:
    """Stands for a tag that is wrong, so that what refers to it is not reported too."""
    data = entry.data
    type_ = data.get("type")
    unit = data.get("unit")
    return Tag(
        id=0,
        path=entry.path,
        type=type_ if type_ in (*INTEGER_RANGE, *FLOATS, STRING) else FLOAT64,
        kind=DEVICE,
        writer="field",
        row=0,
        unit=units.UNITS[unit].symbol if isinstance(unit, str) and unit in units.UNITS else None,
        owner=OWNER_SCADA if data.get("owner") else None,
        writable=True,
    )


def _tag(scope: Scope, model: models.Tag) -> Tag:
    """What device and memory tags have in common."""
    unit = None if model.unit is None else scope.build_unit(("unit",), model.unit)
    if model.type in (BOOL, STRING):
        for key in ("unit", "raw", "range", "scale", "offset", "bad_outside", "limits", "rate"):
            if getattr(model, key) is not None:
                scope.report((key,), f"{a(model.type)} has no {key}. Leave it out.", key=True)
    if model.display is not None and model.display not in scope.build.displays:
        hint = units.did_you_mean(model.display, scope.build.displays) or ". Write it under displays:."
        scope.report(("display",), f"unknown display {model.display!r}{hint}")
    range_ = scope.pair(("range",), model.range, unit)
    scaling = _scaling(scope, model, range_)
    scaled = scaling.gain != 1.0 or scaling.offset != 0.0 or model.raw is not None or model.scale is not None
    type_ = FLOAT64 if scaled and model.type not in (BOOL, STRING) else model.type
    states = model.states or {}
    for number in states:
        low, high = INTEGER_RANGE.get(type_, (0, 0))
        if type_ not in INTEGER_RANGE or not low <= int(number) <= high:
            scope.report(
                ("states",), f"{number} is no value of {a(type_)}. Correct the states or the type.", key=True
            )
            break
    return Tag(
        id=0,
        path=scope.subject,
        type=type_,
        kind=MEMORY,
        writer="control",
        row=0,
        description=model.description,
        unit=unit,
        range=range_,
        decimals=_decimals(model, type_, range_, scaling),
        states=states,
        scaling=scaling,
        write_role=model.write_role,
        retain=bool(model.retain),
        step=type_ not in FLOATS,
        display=model.display,
        was=model.was,
        place=str(scope.source.place()),
    )


def _decimals(model: models.Tag, type_: str, range_: tuple[float, float] | None, scaling: Scaling) -> int:
    if model.decimals is not None:
        return model.decimals
    if type_ not in FLOATS:
        return 0
    span = range_[1] - range_[0] if range_ else abs(scaling.gain) * 1000
    return 0 if span >= 1000 else 1 if span >= 100 else 2


def _scaling(scope: Scope, model: models.Tag, range_: tuple[float, float] | None) -> Scaling:
    gain, offset = 1.0, 0.0
    if model.raw is not None:
        if model.scale is not None or model.offset is not None:
            scope.report(("raw",), "raw: and scale:/offset: say the same twice. Keep one way.", key=True)
        low, high = model.raw.low.value, model.raw.high.value
        if model.raw.low.unit is not None:
            scope.report(("raw",), "raw values have no unit. Write bare numbers.")
        if model.range is None:
            scope.report(
                ("raw",),
                "raw: needs range:, the engineering values at its ends. Add range: [lowest, highest].",
                key=True,
            )
        elif range_ is not None:
            gain = (range_[1] - range_[0]) / (high - low)
            offset = range_[0] - low * gain
        if model.type in INTEGER_RANGE:
            least, most = INTEGER_RANGE[model.type]
            if low < least or high > most:
                scope.report(("raw",), f"{a(model.type)} holds {least} … {most}. Correct raw: or type:.")
    else:
        gain = 1.0 if model.scale is None else model.scale
        offset = model.offset or 0.0
        if gain == 0:
            scope.report(
                ("scale",), "a scale of 0 makes every value the same. Write engineering units per raw count."
            )
            gain = 1.0
    bad = model.bad_outside
    return Scaling(
        gain=gain,
        offset=offset,
        bad_below=bad.low.value if bad else None,
        bad_above=bad.high.value if bad else None,
    )


def _memory(scope: Scope, model: models.Tag, tag: Tag) -> Tag:
    for key in _DEVICE_KEYS:
        if getattr(model, key) is not None:
            scope.report((key,), f"{key}: needs a device. Add device:, or leave {key}: out.", key=True)
    if model.initial is None and model.type != STRING:
        scope.report(
            (),
            "a tag without a device needs initial:, its value before anybody wrote it. Add it, or add device:.",
        )
    return changed(
        tag,
        writable=model.writable is not False,
        history=history_of(scope, model, tag),
    )


def _of_device(
    scope: Scope,
    model: models.Tag,
    tag: Tag,
    devices: Mapping[str, DeviceBuild],
    known_devices: Mapping[str, object],
) -> Tag:
    defaults = scope.build.defaults
    group = defaults.analog if is_analog(tag) else defaults.discrete
    device = devices.get(str(model.device))
    if model.device not in known_devices:
        hint = units.did_you_mean(str(model.device), known_devices) or ". Write it under devices:."
        scope.report(("device",), f"unknown device {model.device!r}{hint}")
    address = None
    if model.address is None:
        scope.report((), "address is missing. Write address: and where it is in the device.")
    elif device is not None:
        address = parse_address(device, scope, model.address, model.type)
    if model.retain and model.initial is None and model.owner is None:
        scope.report(
            ("retain",), "a value that is only read is not kept over a restart. Leave retain: out.", key=True
        )
    tag = changed(
        tag,
        kind=DEVICE,
        writer=device.device.service if device else "field",
        device=model.device,
        address=address,
        scan_ns=model.scan or group.scan or 1_000_000_000,
        history=history_of(scope, model, tag),
    )
    return output(scope, model, tag) if model.owner is not None else _read_only(scope, model, tag)


def _read_only(scope: Scope, model: models.Tag, tag: Tag) -> Tag:
    for key in (*_OUTPUT_KEYS, "limits"):
        if getattr(model, key) is not None:
            scope.report(
                (key,),
                f"{key}: is for outputs. Add owner: scada, plc or shared, or leave {key}: out.",
                key=True,
            )
    if model.writable:
        scope.report(
            ("writable",), "a device tag is writable by owner: scada, plc or shared. Write that instead."
        )
    return tag


def _values(scope: Scope, model: models.Tag, tag: Tag) -> Tag:
    """What needs the finished tag: limits of memory tags, and the initial value."""
    if tag.kind == MEMORY and model.limits is not None:
        tag = changed(tag, limits=scope.pair(("limits",), model.limits, tag.unit))
    elif tag.kind == MEMORY:
        tag = changed(tag, limits=tag.range)
    if model.initial is not None:
        tag = changed(tag, initial=scope.value(("initial",), model.initial, tag))
    elif tag.kind == MEMORY and tag.type == STRING:
        tag = changed(tag, initial="")
    return tag
