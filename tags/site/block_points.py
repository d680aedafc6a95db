"""The points of each block type: tags `<block>/<POINT>`, owned by control."""

from __future__ import annotations

from typing import Any, Final

from tags import expression
from tags.model import BLOCK, History, Tag
from tags.site import control_models as cm
from tags.site import function_configs as fc
from tags.site import function_models as fm
from tags.site import sequence_models as sm
from tags.site.building import Building, Scope
from tags.site.pid_config import MODE_NUMBERS, MODES, modes, times
from tags.site.protection_models import Free
from tags.types import BOOL, FLOAT64, FLOATS, INT32, INT64

_SIMPLE_MODES: Final = {"0": "Out of service", "1": "Manual", "2": "Auto"}
_VALVE_STATES: Final = {"0": "Closed", "1": "Opening", "2": "Open", "3": "Closing", "4": "Fault"}
_MOTOR_STATES: Final = {
    "0": "Stopped",
    "1": "Starting",
    "2": "Running",
    "3": "Stopping",
    "4": "Tripped",
    "5": "Local",
    "6": "Failed to start",
}
_DAMPER_STATES: Final = {"0": "Closed", "1": "Between", "2": "Open", "3": "Fault"}
_NO_YES: Final = {"0": "No", "1": "Yes"}

# Point names by block type, for everything that needs names before the points can be made.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "pid": ("SP", "MODE", "GAIN", "TI", "TD"),
    "valve": ("DISCREPANCY", "STUCK", "STROKES"),
    "on_off_valve": ("MODE", "CMD", "AUTO", "STATE", "DISCREPANCY", "STUCK", "STROKES"),
    "motor": ("MODE", "CMD", "AUTO", "STATE", "TRIP", "RESET", "HOURS", "STARTS"),
    "drive": ("MODE", "CMD", "AUTO", "STATE", "TRIP", "RESET", "HOURS", "STARTS", "SP"),
    "damper": ("MODE", "SP", "STATE", "DISCREPANCY"),
    "duty_standby": ("DUTY", "DEMAND"),
    "hysteresis": ("OUT",),
    "ramp": ("SP",),
    "timer": ("Q", "ET"),
    "schedule": ("STATE",),
    "interlock": ("ACTIVE",),
    "calc": ("OUT",),
    **dict.fromkeys(("filter", "lead_lag", "dead_time", "rate_limit", "characteriser"), ("OUT",)),
    "ratio": ("OUT", "RATIO"),
    "totaliser": ("TOTAL", "LAST", "RESET"),
    "select": ("OUT", "USED", "SELECTED"),
    "vote": ("Q", "VOTES", "DISAGREE"),
    "edge": ("Q",),
    "latch": ("Q",),
    "counter": ("CV", "QU", "QD"),
    "on_off": ("OUT", "SP"),
    "three_position": ("RAISE", "LOWER", "SP"),
    "split_range": (),
    "override_select": ("SELECTED",),
}
_AT_THE_BLOCK: Final = ("OUT", "Q", "TOTAL")  # their path is the block's


def point_paths(path: str, model: cm.Block) -> dict[str, str]:
    """Point name to tag path of one block."""
    names = model.point_names() if isinstance(model, Free) else NAMES[model.block]
    if isinstance(model, cm.Interlock) and model.bypass is not None:
        names += ("BYPASSED",)
    setpoint = getattr(model, "setpoint", None)
    if isinstance(setpoint, cm.Setpoint) and setpoint.tag is not None:
        names = tuple(name for name in names if name != "SP")
    if isinstance(model, cm.Pid):
        names += ("RSP",) if model.setpoint.remote is not None else ()
        names += ("TRACKING",) if model.track is not None else ()
    if isinstance(model, sm.Drive) and model.actual is not None:
        names += ("DISCREPANCY",)
    if isinstance(model, cm.DutyStandby) and model.assist:
        names += ("STAGES",)
    if isinstance(model, cm.ScheduleBlock) and model.override is not None:
        names += ("OVERRIDE", "LEFT")
    return {name: path if name in _AT_THE_BLOCK else f"{path}/{name}" for name in names}


def make_points(scope: Scope, path: str, model: cm.Block, states: tuple[str, ...] = ()) -> dict[str, Tag]:
    """Makes the tags of a block's points; what they take their unit from must be there already.

    Args:
        scope: The block.
        path: Its path.
        model: Its settings.
        states: Sorted states of a schedule.
    """
    made = {}
    for name, point in point_paths(path, model).items():
        maker: Any = model.point_fields(name) if isinstance(model, Free) else _FIELDS[name]
        fields = maker(scope, model, states) if callable(maker) else maker
        made[name] = _point(scope, point, name, model, dict(fields))
    return made


def _point(scope: Scope, path: str, name: str, model: cm.Block, fields: dict[str, Any]) -> Tag:
    what = fields.pop("what", name)
    about = model.description or path.removesuffix(f"/{name}")
    type_ = fields.get("type", FLOAT64)
    tag = Tag(
        id=0,
        path=path,
        kind=BLOCK,
        writer="control",
        row=0,
        description=f"{about}: {what}" if what else about,
        step=type_ not in FLOATS or name in ("SP", "RSP", "GAIN", "TI", "TD"),
        display=model.display,
        place=str(scope.source.place()),
        **{"type": FLOAT64, "decimals": 2 if type_ in FLOATS else 0, **fields},
    )
    scope.build.add(tag, scope.source)
    return tag


def _setpoint(scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    if isinstance(model, sm.Drive | sm.Damper):
        return _by_hand(scope, model)
    path = (
        model.pv
        if hasattr(model, "pv")
        else (model.out if isinstance(model.out, str) else (model.out or [""])[0])
    )
    followed = scope.build.tags.get(path)
    unit = followed.unit if followed else None
    loc = ("setpoint", "limits")
    limits = scope.pair(loc, model.setpoint.limits, unit)
    range_ = followed.range if followed else None
    if limits and range_ and not (range_[0] <= limits[0] and limits[1] <= range_[1]):
        scope.report(
            loc, f"limits reach outside the range {range_[0]:g} … {range_[1]:g} of {path}. Correct them."
        )
    fields: dict[str, Any] = {
        "what": "set point",
        "unit": unit,
        "range": range_,
        "limits": limits or range_,
        "decimals": followed.decimals if followed else 2,
        "writable": True,
        "retain": model.setpoint.retain,
    }
    if model.setpoint.initial is not None:
        initial = scope.measure(("setpoint", "initial"), model.setpoint.initial, unit)
        bounds = fields["limits"]
        if initial is not None and bounds and not bounds[0] <= initial <= bounds[1]:
            scope.report(
                ("setpoint", "initial"),
                f"{initial:g} is outside the limits {bounds[0]:g} … {bounds[1]:g}. Correct it.",
            )
        fields["initial"] = initial
    return fields


def _by_hand(scope: Scope, model: Any) -> dict[str, Any]:
    """The set point by hand of a speed or a damper."""
    driven = scope.build.tags.get((model.speed if isinstance(model, sm.Drive) else model.out) or "")
    unit, whole = (driven.unit, driven.limits or driven.range) if driven else (None, None)
    limits = scope.pair(("limits",), model.limits, unit) if isinstance(model, sm.Drive) else None
    return {
        "what": "speed by hand" if isinstance(model, sm.Drive) else "position by hand",
        "unit": unit,
        "range": driven.range if driven else None,
        "limits": limits or whole,
        "decimals": driven.decimals if driven else 1,
        "writable": True,
        "retain": True,
    }


def _remote_setpoint(scope: Scope, model: Any, states: Any) -> dict[str, Any]:
    fields = _setpoint(scope, model, states)
    fields.pop("initial", None)
    return {**fields, "what": "set point written by a computer", "retain": False}


def _tuning(key: str, what: str, unit: str | None) -> Any:
    def fields(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
        value = model.tuning.gain if unit is None else times(model.tuning)[key == "td"]
        return {
            "what": what,
            "unit": unit,
            "initial": float(value if unit is None else value / 1e9),
            "limits": (0.0, 1e6),
            "writable": True,
            "write_role": "engineer",
            "retain": True,
            "decimals": 3 if unit is None else 1,
        }

    return fields


def _mode(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    states = _SIMPLE_MODES
    if isinstance(model, cm.Pid):
        states = {str(MODE_NUMBERS[name]): MODES[str(MODE_NUMBERS[name])] for name in modes(model)}
    return {
        "what": "mode",
        "type": INT32,
        "states": dict(states),
        "limits": (float(min(map(int, states))), float(max(map(int, states)))),
        "writable": True,
        "retain": True,
        "initial": MODE_NUMBERS[model.mode.first],
        "write_role": model.mode.role,
    }


def _state(_scope: Scope, model: Any, states: tuple[str, ...]) -> dict[str, Any]:
    texts = {str(i): text for i, text in enumerate(states)}
    if model.block != "schedule":
        texts = dict(_MOTOR_STATES if isinstance(model, cm.Motor) else _VALVE_STATES)
    if isinstance(model, sm.Damper):
        texts = dict(_DAMPER_STATES)
    return {"what": "state", "type": INT32, "states": texts}


def _strokes(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"what": "strokes made", "retain": True}
    if isinstance(model, cm.OnOffValve):
        return {**fields, "type": INT64}
    return {**fields, "decimals": 1, "history": History(deadband=1.0)}


def _override(_scope: Scope, model: Any, states: tuple[str, ...]) -> dict[str, Any]:
    texts = {"0": "By schedule", **{str(i): text for i, text in enumerate(states, 1)}}
    limits = (0.0, float(len(states)))
    return {
        "what": "override",
        "type": INT32,
        "states": texts,
        "limits": limits,
        "writable": True,
        "write_role": model.override.role,
        "retain": True,
    }


def _left(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    longest = model.override.max / 1e9
    return {
        "what": "time left of the override",
        "unit": "s",
        "range": (0.0, longest),
        "limits": (0.0, longest),
        "decimals": 0,
        "writable": True,
        "write_role": model.override.role,
        "history": History(keep=False),
    }


def _out(scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    if isinstance(model, fm.Signal | fm.Select):
        return fc.result(scope, model)
    if not isinstance(model, cm.Calc):
        return {"what": "", "type": BOOL, "states": {"0": "Off", "1": "On"}, "retain": True}
    unit, is_bool = _of_expression(scope.build, model.expression)
    if model.unit is not None:
        declared = scope.build_unit(("unit",), model.unit)
        unit = declared or unit
    type_ = model.type or (BOOL if is_bool else FLOAT64)
    return {
        "what": "",
        "type": type_,
        "unit": None if type_ == BOOL else unit,
        "range": scope.pair(("range",), model.range, unit),
        "states": model.states or (dict(_NO_YES) if type_ == BOOL else {}),
        "decimals": model.decimals if model.decimals is not None else 2 if type_ in FLOATS else 0,
    }


def _of_expression(build: Building, text: str) -> tuple[str | None, bool]:
    """Unit and truth-valuedness; problems are reported elsewhere."""
    try:
        parsed = expression.parse(text)
    except expression.ExpressionError:
        return None, False
    if any(path not in build.tags for path in parsed.paths):
        return None, False
    return expression.unit_of(parsed, build.tags), expression.type_of(parsed, build.tags) == "bool"


def _duty(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    names = {str(i + 1): path.rpartition("/")[2] for i, path in enumerate(model.members)}
    return {"what": "on duty", "type": INT32, "states": names, "retain": True}


def _total(scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    return fc.total(scope, model)


def _last(scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    return {**fc.total(scope, model), "what": "total before the last reset"}


def _ratio(scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    return fc.ratio(scope, model)


def _selected(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    texts = {"0": "None", **{str(i): text for i, text in enumerate(model.inputs, 1)}}
    return {"what": "selected", "type": INT32, "states": texts}


def _active(_scope: Scope, model: Any, _: Any) -> dict[str, Any]:
    manual = model.reset == "manual"
    return {"what": "active", "type": BOOL, "states": dict(_NO_YES), "writable": manual, "retain": True}


_BOOL: Final = {"type": BOOL, "states": _NO_YES}
_FIELDS: Final[dict[str, Any]] = {
    "SP": _setpoint,
    "MODE": _mode,
    "GAIN": _tuning("gain", "gain", None),
    "TI": _tuning("ti", "integral time", "s"),
    "TD": _tuning("td", "derivative time", "s"),
    "RSP": _remote_setpoint,
    "TRACKING": {**_BOOL, "what": "output follows a value"},
    "DISCREPANCY": {**_BOOL, "what": "does not follow"},
    "STUCK": {**_BOOL, "what": "does not move"},
    "STROKES": _strokes,
    "CMD": {**_BOOL, "what": "command by hand", "writable": True},
    "AUTO": {**_BOOL, "what": "wanted by the program"},
    "STATE": _state,
    "TRIP": {**_BOOL, "what": "tripped", "retain": True},
    "RESET": {**_BOOL, "what": "reset", "writable": True, "history": History(keep=True)},
    "HOURS": {"what": "hours run", "unit": "h", "retain": True, "history": History(deadband=0.01)},
    "STARTS": {"what": "starts", "type": INT64, "retain": True},
    "DUTY": _duty,
    "STAGES": {"what": "asked to run", "type": INT32},
    "DEMAND": {**_BOOL, "what": "demand"},
    "OUT": _out,
    "Q": {"what": "", "type": BOOL, "states": {"0": "Off", "1": "On"}, "retain": True},
    "ET": {"what": "time elapsed", "unit": "s", "history": History(keep=False)},
    "ACTIVE": _active,
    "BYPASSED": {**_BOOL, "what": "bypassed"},
    "OVERRIDE": _override,
    "LEFT": _left,
    "RATIO": _ratio,
    "TOTAL": _total,
    "LAST": _last,
    "USED": {"what": "usable inputs", "type": INT32},
    "SELECTED": _selected,
    "VOTES": {"what": "votes", "type": INT32},
    "DISAGREE": {**_BOOL, "what": "inputs do not agree"},
    "CV": {"what": "count", "type": INT32, "retain": True},
    "QU": {**_BOOL, "what": "preset reached", "retain": True},
    "QD": {**_BOOL, "what": "zero reached"},
    "RAISE": {**_BOOL, "what": "raise"},
    "LOWER": {**_BOOL, "what": "lower"},
}
