"""What can be done with each kind of block: methods with arguments, each one request to control.

A method is offered where the points that it writes are there and writable. Whether it may be done now (mode, permits,
interlocks, limits) is control's answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scada.access import ROLES
from scada.requests import check
from tags.model import Block, Tag
from tags.types import BOOL, STRING, Value

NUMBER: Final = "number"
TEXT: Final = "text"
TEXT_MAX: Final = 500
SECONDS_MAX: Final = 7 * 86_400.0
_BUTTONS: Final = {"START": "Start", "STOP": "Stop", "OPEN": "Open", "CLOSE": "Close", "RESET": "Reset"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One input argument.

    Attributes:
        name: For example `Value`.
        kind: `NUMBER` or `TEXT`.
        description: For people.
        tag: Path of the tag that it becomes the value of, or "".
        choices: The texts that it may be, if they are known.
    """

    name: str
    kind: str
    description: str
    tag: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """One thing that can be done.

    Attributes:
        name: For example `Open`.
        description: For people.
        items: Path and value that the request writes; of a value that is an `Argument` the caller gives it.
        inputs: All arguments in order.
        role: The least role that may ask for it.
        kind: Of the request: `write`, `bypass` or `unbypass`.
        seconds: The argument that says how long, or None.
        reason: The argument that says why, or None.
        part: The argument that says of which part of the item's path, or None.
    """

    name: str
    description: str
    items: tuple[tuple[str, Value | Argument | None], ...]
    inputs: tuple[Argument, ...] = ()
    role: str = "operator"
    kind: str = "write"
    seconds: Argument | None = None
    reason: Argument | None = None
    part: Argument | None = None


def of_block(block: Block, tags: Mapping[str, Tag]) -> tuple[Method, ...]:
    """The methods of one block.

    Args:
        block: Of the control program.
        tags: All tags by path.
    """
    makers = _MAKERS.get(block.type, (_mode, _set_point))
    return tuple(method for maker in makers for method in maker(block, tags))


def of_tags(members: Mapping[str, str], tags: Mapping[str, Tag]) -> tuple[Method, ...]:
    """The methods of a unit that no block supervises: its contacts that are written, by their names.

    Args:
        members: Tag path by name.
        tags: All tags by path.
    """
    found = []
    for point, name in _BUTTONS.items():
        tag = tags.get(members.get(point, ""))
        if tag is not None and tag.type == BOOL:
            found.extend(_writes(name, f"{name}: {tag.description or tag.path}", [(tag, True)]))
    return tuple(found)


def values(
    method: Method, given: Iterable[Any], tags: Mapping[str, Tag]
) -> tuple[dict[Argument, Any], list[bool]]:
    """Arguments by what they are, and for each whether it is within its range.

    Args:
        method: To be called.
        given: One value for each input, of its type.
        tags: All tags by path.
    """
    named = dict(zip(method.inputs, given, strict=True))
    return named, [_fits(method, argument, value, tags) for argument, value in named.items()]


def _fits(method: Method, argument: Argument, value: Any, tags: Mapping[str, Tag]) -> bool:
    if argument.kind == TEXT and (not isinstance(value, str) or len(value) > TEXT_MAX):
        return False
    if argument.choices and value not in argument.choices:
        return False
    if argument.kind == NUMBER and not math.isfinite(value):
        return False
    if argument == method.seconds:
        return bool(0 < value <= SECONDS_MAX)
    tag = tags.get(argument.tag)
    if tag is None:
        return True
    try:
        made = check.coerce(tag, value)
    except ValueError:
        return False
    return check.range_refusal(tag, made) is None


def _writes(
    name: str,
    description: str,
    items: Iterable[tuple[Tag | None, Value | Argument]],
) -> list[Method]:
    """A method that writes these tags; none when one of them is missing or not writable."""
    wanted = list(items)
    found = [(tag, value) for tag, value in wanted if tag is not None and tag.writable]
    if len(found) < len(wanted):
        return []
    return [
        Method(
            name=name,
            description=description,
            items=tuple((tag.path, value) for tag, value in found),
            inputs=tuple(value for _, value in found if isinstance(value, Argument)),
            role=max((tag.write_role for tag, _ in found), key=ROLES.index),
        )
    ]


def _number(name: str, tag: Tag | None, what: str) -> Argument:
    if tag is None:
        return Argument(name, NUMBER, what)
    limits = check.bounds(tag)
    within = f", {limits[0]:g} … {limits[1]:g}" if limits else ""
    unit = f" in {tag.unit}" if tag.unit else ""
    return Argument(name, NUMBER, f"{what}{unit}{within}", tag.path)


def _choice(name: str, tag: Tag | None, what: str) -> Argument:
    states = ", ".join(tag.states.values()) if tag is not None else ""
    return Argument(name, TEXT, f"{what}: {states}" if states else what, tag.path if tag is not None else "")


Maker = Callable[[Block, Mapping[str, Tag]], list[Method]]


def _point(block: Block, tags: Mapping[str, Tag], name: str) -> Tag | None:
    return tags.get(block.points.get(name, ""))


def _press(name: str, point: str, value: Value, description: str) -> Maker:
    """A method that writes a fixed value to a point."""

    def make(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
        return _writes(name, description, [(_point(block, tags, point), value)])

    return make


def _set(name: str, point: str, argument: str, what: str) -> Maker:
    """A method that writes the number that the caller gives to a point."""

    def make(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
        tag = _point(block, tags, point)
        return _writes(name, f"Set the {what}", [(tag, _number(argument, tag, what.capitalize()))])

    return make


def _choose(name: str, point: str, argument: str, what: str) -> Maker:
    """A method that writes the state that the caller names to a point."""

    def make(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
        tag = _point(block, tags, point)
        return _writes(name, f"Set the {what}", [(tag, _choice(argument, tag, what.capitalize()))])

    return make


def _output(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """The output by hand: of a controller in Manual, of a valve that no controller drives."""
    tag = tags.get(str(block.config.get("out")))
    name, what = (
        ("SetOutput", "output in Manual") if block.type == "pid" else ("SetPosition", "position by hand")
    )
    return _writes(name, f"Set the {what}", [(tag, _number("Value", tag, what.capitalize()))])


def _ends(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """Open and Close of a control valve: the ends of what its output may be."""
    tag = tags.get(str(block.config.get("out")))
    limits = check.bounds(tag) if tag is not None and tag.type not in (BOOL, STRING) else None
    if limits is None:
        return []
    return [
        *_writes("Open", f"Output to {limits[1]:g}", [(tag, limits[1])]),
        *_writes("Close", f"Output to {limits[0]:g}", [(tag, limits[0])]),
    ]


def _stroke(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """Open and Close of a damper."""
    tag, ends = _point(block, tags, "SP"), block.config.get("stroke")
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        return []
    closed, opened = (float(end) for end in ends)
    return [
        *_writes("Open", "Position by hand to fully open", [(tag, opened)]),
        *_writes("Close", "Position by hand to closed", [(tag, closed)]),
    ]


def _loop_set_point(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """Of a controller: its own set point, or the tag that holds it."""
    tag = _point(block, tags, "SP") or tags.get(str(block.config.get("setpoint_tag")))
    return _writes("SetPoint", "Set the set point", [(tag, _number("Value", tag, "Set point"))])


def _tuning(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    named = (
        ("GAIN", "Gain", "Gain"),
        ("TI", "IntegralTime", "Integral time"),
        ("TD", "DerivativeTime", "Derivative time"),
    )
    items = [
        (tag, _number(name, tag, what)) for point, name, what in named for tag in [_point(block, tags, point)]
    ]
    return _writes("SetTuning", "Set gain and times of the controller at once", items)


def _interlock_reset(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    return _writes("Reset", "Let go when the cause is gone", [(_point(block, tags, "ACTIVE"), False)])


def _bypass(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """Putting a protection, or a cause of a matrix, out of action for a time."""
    del tags
    permits = block.config.get("bypass") or {}
    if not permits:
        return []
    names = tuple(name for name in permits if name)
    cause = Argument("Cause", TEXT, f"Which cause: {', '.join(names)}", choices=names) if names else None
    most = max(permit["max_ns"] for permit in permits.values()) / 1e9
    seconds = Argument("Seconds", NUMBER, f"How long, at most {most:g} s")
    reason = Argument("Reason", TEXT, "Why, for the record")
    which = () if cause is None else (cause,)
    return [
        Method(
            name="Bypass",
            description="Put this protection out of action for a time",
            items=((block.path, None),),
            inputs=(*which, seconds, reason),
            role=min((str(permit["role"]) for permit in permits.values()), key=ROLES.index),
            kind="bypass",
            seconds=seconds,
            reason=reason,
            part=cause,
        ),
        Method(
            name="EndBypass",
            description="Put this protection back into action",
            items=((block.path, None),),
            inputs=which,
            kind="unbypass",
            part=cause,
        ),
    ]


def _override(block: Block, tags: Mapping[str, Tag]) -> list[Method]:
    """Another state of a schedule for a time."""
    state, left = (_point(block, tags, name) for name in ("OVERRIDE", "LEFT"))
    if state is None or left is None:
        return []
    items = [(state, _choice("State", state, "State")), (left, _number("Seconds", left, "How long"))]
    return [
        *_writes("Override", "Another state than the schedule's for a time", items),
        *_writes("EndOverride", "Back to the schedule", [(state, 0)]),
    ]


_mode = _choose("SetMode", "MODE", "Mode", "mode")
_set_point = _set("SetPoint", "SP", "Value", "set point")
_reset = _press("Reset", "RESET", True, "Take back a trip whose cause is gone")
_motor = (
    _press("Start", "CMD", True, "Start it (in Manual)"),
    _press("Stop", "CMD", False, "Stop it (in Manual)"),
    _reset,
    _mode,
)
_MAKERS: Final[dict[str, tuple[Maker, ...]]] = {
    "motor": _motor,
    "drive": (*_motor, _set("SetSpeed", "SP", "Value", "speed by hand")),
    "on_off_valve": (
        _press("Open", "CMD", True, "Open it (in Manual)"),
        _press("Close", "CMD", False, "Close it (in Manual)"),
        _mode,
    ),
    "valve": (_ends, _output),
    "damper": (_stroke, _set("SetPosition", "SP", "Value", "position by hand"), _mode),
    "pid": (_mode, _loop_set_point, _output, _tuning),
    "ratio": (_set("SetRatio", "RATIO", "Value", "ratio"),),
    "totaliser": (_press("Reset", "RESET", True, "Begin a new total"),),
    "schedule": (_override,),
    "interlock": (_interlock_reset, _bypass),
    "cause_effect": (
        _press("Reset", "RESET", True, "Let go of what is latched and whose cause is gone"),
        _bypass,
    ),
    "changeover": (_choose("Select", "SELECT", "State", "state"),),
    "frost_protection": (_press("Reset", "TRIP", False, "Take back the trip when it is warm again"),),
}
