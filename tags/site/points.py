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
from tags.site import arrays, models
from tags.site.alarms import compile_alarms
from tags.site.building import Building, Scope, a
from tags.site.devices import DeviceBuild, parse_address
from tags.site.history import history_of, is_analog
from tags.site.outputs import changed, command_of, output
from tags.site.scalings import check_raw, is_scaled, scaling_of
from tags.site.templates import Entry
from tags.site.validate import validate
from tags.types import BCD, BCD_RANGE, BOOL, FLOAT64, FLOATS, INTEGER_RANGE, STRING

_OUTPUT_KEYS = ("write", "on_loss", "rate", "stop")
_SCALING_KEYS = ("raw", "scale", "offset", "bad_outside", "scaling", "cutoff", "curve")
_NUMBER_KEYS = ("unit", "range", "limits", "rate", *_SCALING_KEYS)
SCAN_LEAST_NS = 10_000_000
SCAN_MOST_NS = 3_600_000_000_000
_DEVICE_KEYS = ("address", "order", "step", "scan", "owner", "remote", *_SCALING_KEYS, *_OUTPUT_KEYS)


def compile_tag(
    build: Building, entry: Entry, devices: Mapping[str, DeviceBuild], known_devices: Mapping[str, object]
) -> None:
    """Compiles one entry into the building: the tag, its command if it is writable at a device, its alarms.

    An array makes all that for each of its elements.
    """
    if build.problems.full or not build.check_path(entry.path, entry.source.place()):
        return
    scope = Scope(build, entry.source, entry.path)
    model = validate(models.Tag, entry.data, entry.source, entry.path, build.problems)
    if model is None:
        # Others may name it: they should not be told that it is unknown.
        for path in arrays.paths_of(entry):
            build.add(_placeholder(entry, path), entry.source)
        return
    _check_keys(scope, model)
    for element in arrays.elements(entry.path, model):
        tag = _tag(scope, model, element)
        if model.device is None:
            tag = _memory(scope, model, tag)
        else:
            tag = _of_device(scope, model, tag, element, devices, known_devices)
        tag = _values(scope, model, tag)
        if not build.add(tag, entry.source):
            continue
        if tag.device in devices:
            devices[str(tag.device)].tags.append(tag)
        if tag.owner is not None:
            build.add(command_of(tag), entry.source)
        compile_alarms(scope, model.alarms, tag)


def _placeholder(entry: Entry, path: str) -> Tag:
    """Stands for a tag that is wrong, so that what refers to it is not reported too."""
    data = entry.data
    type_ = data.get("type")
    unit = data.get("unit")
    return Tag(
        id=0,
        path=path,
        type=type_ if type_ in (*INTEGER_RANGE, *FLOATS, STRING) else FLOAT64,
        kind=DEVICE,
        writer="field",
        row=0,
        unit=units.UNITS[unit].symbol if isinstance(unit, str) and unit in units.UNITS else None,
        owner=OWNER_SCADA if data.get("owner") else None,
        writable=True,
    )


def _check_keys(scope: Scope, model: models.Tag) -> None:
    """Keys that do not go with the type, or with each other."""
    if model.type in (BOOL, STRING):
        for key in _NUMBER_KEYS:
            if getattr(model, key) is not None:
                scope.report((key,), f"{a(model.type)} has no {key}. Leave it out.", key=True)
    if model.step is not None and model.array is None:
        scope.report(("step",), "step: is for an array. Add array: 1..8, or leave step: out.", key=True)
    if model.type in BCD and model.device is None:
        own = BCD[model.type]
        scope.report(("type",), f"{model.type} is how a device stores a number. Write {own}, or add device:.")


def _tag(scope: Scope, model: models.Tag, element: arrays.Element) -> Tag:
    """What device and memory tags have in common."""
    unit = None if model.unit is None else scope.build_unit(("unit",), model.unit)
    if model.display is not None and model.display not in scope.build.displays:
        hint = units.did_you_mean(model.display, scope.build.displays) or ". Write it under displays:."
        scope.report(("display",), f"unknown display {model.display!r}{hint}")
    range_ = scope.pair(("range",), model.range, unit)
    scaling = scaling_of(scope, model, unit, range_)
    if range_ is None and scaling.curve:
        heights = [height for _, height in scaling.curve]
        range_ = (min(heights), max(heights)) if min(heights) < max(heights) else None
    own = BCD.get(model.type, model.type)
    type_ = FLOAT64 if is_scaled(model, scaling) and own not in (BOOL, STRING) else own
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
        path=element.path,
        type=type_,
        kind=MEMORY,
        writer="control",
        row=0,
        description=element.name(model.description),
        unit=unit,
        range=range_,
        decimals=_decimals(model, type_, range_, scaling),
        states=states,
        scaling=scaling,
        write_role=model.write_role,
        retain=bool(model.retain),
        step=type_ not in FLOATS,
        display=model.display,
        was=element.was(model.was),
        place=str(scope.source.place()),
    )


def _decimals(model: models.Tag, type_: str, range_: tuple[float, float] | None, scaling: Scaling) -> int:
    if model.decimals is not None:
        return model.decimals
    if type_ not in FLOATS:
        return 0
    if range_ is None and scaling.plain:
        return 2  # nothing says how large it is: a pH must not be shown as 7
    span = range_[1] - range_[0] if range_ else abs(scaling.gain) * 1000
    return 0 if span >= 1000 else 1 if span >= 100 else 2


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
    element: arrays.Element,
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
        address = parse_address(device, scope, model, element)
    check_raw(scope, model, (address or {}).get("limits"))
    limits = (address or {}).get("limits") or BCD_RANGE.get(model.type)
    scan_ns = model.scan or group.scan or 1_000_000_000
    if not SCAN_LEAST_NS <= scan_ns <= SCAN_MOST_NS:
        scope.report(
            ("scan",) if model.scan else (),
            f"a scan of {_length(scan_ns)} is not between 10 ms and 1 h. Write for example scan: 100 ms.",
        )
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
        scan_ns=scan_ns,
        history=history_of(scope, model, tag),
        limits=tuple(limits) if limits and tag.type not in FLOATS else None,
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
    return changed(tag, limits=None)


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


def _length(ns: int) -> str:
    return f"{ns / 1e6:g} ms" if ns < 1_000_000_000 else f"{ns / 1e9:g} s"
