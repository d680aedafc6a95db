"""May this value be written to this tag? What the tag itself says: writable, role, type, states, limits."""

from __future__ import annotations

from typing import Final

from scada import access
from tags import types
from tags.model import ALARM, COMMAND, DEVICE, SYSTEM, Tag
from tags.types import Value

_TRUE: Final = frozenset({"true", "on", "yes", "open", "start"})
_FALSE: Final = frozenset({"false", "off", "no", "close", "stop"})


def coerce(tag: Tag, value: object) -> Value:
    """The value as the tag's type has it.

    Args:
        tag: The tag to be written.
        value: From the request: a number, true or false, a text; for a tag with states also a state's text, and for
            other types a number written as a text.

    Raises:
        ValueError: It does not fit; the message names the tag.
    """
    try:
        if tag.type != types.STRING and isinstance(value, str):
            value = _from_text(tag, value)
        made = types.coerce(tag.type, value)
    except ValueError as error:
        raise ValueError(f"{tag.path}: {error}") from None
    if tag.states and not isinstance(made, str) and str(int(made)) not in tag.states:
        raise ValueError(f"{tag.path}: {made!r} is none of its states {_states(tag)}")
    return made


def _from_text(tag: Tag, text: str) -> Value:
    folded = text.strip().casefold()
    for number, name in tag.states.items():
        if name.casefold() == folded:
            return int(number)
    if tag.type == types.BOOL:
        if folded in _TRUE or folded == "1":
            return True
        if folded in _FALSE or folded == "0":
            return False
    elif not tag.states or folded.lstrip("-").isdigit():
        try:
            return float(folded) if tag.type in types.FLOATS else int(folded)
        except ValueError:
            pass
    if tag.states:
        raise ValueError(f"{text!r} is none of its states {_states(tag)}")
    raise ValueError(f"{text!r} is not {'true or false' if tag.type == types.BOOL else 'a number'}")


def _states(tag: Tag) -> str:
    return ", ".join(tag.states.values())


def bounds(tag: Tag) -> tuple[float, float] | None:
    """The limits of a request: the tag's own, else its range, else None."""
    return tag.limits if tag.limits is not None else tag.range


def range_refusal(tag: Tag, value: Value) -> str | None:
    """Why a value is outside of what may be requested, or None."""
    limits = bounds(tag)
    if limits is None or isinstance(value, str | bool) or limits[0] <= value <= limits[1]:
        return None
    unit = f" {tag.unit}" if tag.unit else ""
    return (
        f"{tag.path}: {value:.12g}{unit} is outside of its limits {limits[0]:.12g} … {limits[1]:.12g}{unit}"
    )


def write_refusals(tag: Tag, role: str) -> list[str]:
    """Why this role may not write this tag, whatever the value."""
    if tag.kind == COMMAND:
        return [f"{tag.path} is made by control; write {tag.command} instead"]
    if tag.kind == ALARM:
        return [f"{tag.path} is an alarm; acknowledge it instead"]
    if not tag.writable:
        what = {DEVICE: "is only read from its device", SYSTEM: "is the system's own"}.get(
            tag.kind, "is not writable"
        )
        return [f"{tag.path} {what}"]
    refusal = access.refusal(role, "write", tag)
    return [refusal] if refusal else []
