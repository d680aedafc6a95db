"""Which Data Access type a tag is and which properties it carries (OPC 10000-8 §5). Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from tags import units
from tags.model import Scaling, Tag
from tags.types import BOOL, FLOATS, STRING, UINT16, UINT32, UINT64

_UNSIGNED: Final = frozenset({UINT16, UINT32, UINT64})
_TEXT: Final = ua.NodeId(ua.ObjectIds.LocalizedText)
_RANGE: Final = ua.NodeId(ua.ObjectIds.Range)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a tag with a standard name.

    Attributes:
        name: BrowseName in namespace 0.
        data_type: NodeId of its data type.
        value: What it holds; None for `ValueAsText`, which follows the tag.
        kind: Of the variant.
        rank: ValueRank.
    """

    name: str
    data_type: ua.NodeId
    value: Any
    kind: ua.VariantType
    rank: int = -1


Properties = Callable[[Tag], tuple[Property, ...]]
VALUE_AS_TEXT: Final = Property("ValueAsText", _TEXT, None, ua.VariantType.LocalizedText)

BASE: Final = ua.ObjectIds.BaseDataVariableType
ITEM: Final = ua.ObjectIds.DataItemType
ANALOG: Final = ua.ObjectIds.AnalogItemType
ANALOG_UNIT: Final = ua.ObjectIds.AnalogUnitType
TWO_STATE: Final = ua.ObjectIds.TwoStateDiscreteType
MULTI_STATE: Final = ua.ObjectIds.MultiStateDiscreteType
MULTI_STATE_VALUE: Final = ua.ObjectIds.MultiStateValueDiscreteType
TYPE_NAMES: Final = {
    BASE: "BaseDataVariableType",
    ITEM: "DataItemType",
    ANALOG: "AnalogItemType",
    ANALOG_UNIT: "AnalogUnitType",
    TWO_STATE: "TwoStateDiscreteType",
    MULTI_STATE: "MultiStateDiscreteType",
    MULTI_STATE_VALUE: "MultiStateValueDiscreteType",
}


def type_of(tag: Tag) -> int:
    """The standard variable type of a tag.

    A range makes an AnalogItemType, a unit alone an AnalogUnitType (§5.3.2). A bool with two texts is a
    TwoStateDiscreteType; an unsigned integer whose texts count from 0 a MultiStateDiscreteType, another integer with
    texts a MultiStateValueDiscreteType (§5.3.3): the former allows unsigned values only.
    """
    if tag.type == STRING:
        return BASE
    if tag.states:
        if tag.type == BOOL:
            return TWO_STATE if {"0", "1"} <= tag.states.keys() else ITEM
        if tag.type in _UNSIGNED and sorted(map(int, tag.states)) == list(range(len(tag.states))):
            return MULTI_STATE
        return ITEM if tag.type in FLOATS else MULTI_STATE_VALUE
    if tag.type == BOOL:
        return ITEM
    if tag.range is not None:
        return ANALOG
    return ANALOG_UNIT if _unit(tag) is not None else ITEM


def properties(tag: Tag) -> tuple[Property, ...]:
    """The properties of a tag, in a fixed order."""
    kind = type_of(tag)
    found = list(_OF_TYPE[kind](tag)) if kind in _OF_TYPE else []
    if tag.type in FLOATS:
        found.append(
            Property(
                "ValuePrecision",
                ua.NodeId(ua.ObjectIds.Double),
                float(tag.decimals),
                ua.VariantType.Double,
            )
        )
    if kind != BASE and (text := definition(tag)):
        found.append(Property("Definition", ua.NodeId(ua.ObjectIds.String), text, ua.VariantType.String))
    return tuple(found)


def definition(tag: Tag) -> str:
    """Where the value comes from, for engineers: the device and the address that its driver made; "" for none."""
    if tag.device is None or not tag.address:
        return ""
    parts = (f"{name}={value}" for name, value in tag.address.items() if value not in (None, ""))
    return f"{tag.device}: {', '.join(parts)}"


def unit_information(unit: units.Unit) -> ua.EUInformation:
    """A unit as OPC UA names it (§5.6.3)."""
    return ua.EUInformation(
        NamespaceUri=units.NAMESPACE,
        UnitId=unit.unit_id,
        DisplayName=ua.LocalizedText(unit.symbol),
        Description=ua.LocalizedText(unit.description),
    )


def instrument_range(scaling: Scaling) -> tuple[float, float] | None:
    """What the instrument can return, engineering units: the ends of its curve, or the raw values beyond which it has failed."""
    if scaling.curve:
        ends = [engineering for _, engineering in (scaling.curve[0], scaling.curve[-1])]
    elif scaling.linear and scaling.bad_below is not None and scaling.bad_above is not None:
        ends = [raw * scaling.gain + scaling.offset for raw in (scaling.bad_below, scaling.bad_above)]
    else:
        return None
    return min(ends), max(ends)


def _unit(tag: Tag) -> units.Unit | None:
    return units.find(tag.unit) if tag.unit else None


def _analog(tag: Tag) -> tuple[Property, ...]:
    found = []
    if tag.range is not None:
        found.append(_span("EURange", tag.range))
    if (unit := _unit(tag)) is not None:
        found.append(
            Property(
                "EngineeringUnits",
                ua.NodeId(ua.ObjectIds.EUInformation),
                unit_information(unit),
                ua.VariantType.ExtensionObject,
            )
        )
    if (ends := instrument_range(tag.scaling)) is not None:
        found.append(_span("InstrumentRange", ends))
    return tuple(found)


def _span(name: str, ends: tuple[float, float]) -> Property:
    value = ua.Range(Low=float(ends[0]), High=float(ends[1]))
    return Property(name, _RANGE, value, ua.VariantType.ExtensionObject)


def _two_state(tag: Tag) -> tuple[Property, ...]:
    return tuple(
        Property(name, _TEXT, ua.LocalizedText(tag.states[key]), ua.VariantType.LocalizedText)
        for name, key in (("FalseState", "0"), ("TrueState", "1"))
    )


def _multi_state(tag: Tag) -> tuple[Property, ...]:
    texts = [ua.LocalizedText(tag.states[str(number)]) for number in range(len(tag.states))]
    return (Property("EnumStrings", _TEXT, texts, ua.VariantType.LocalizedText, 1),)


def _multi_state_value(tag: Tag) -> tuple[Property, ...]:
    values = [
        ua.EnumValueType(Value=number, DisplayName=ua.LocalizedText(text))
        for number, text in sorted((int(key), text) for key, text in tag.states.items())
    ]
    enum = ua.NodeId(ua.ObjectIds.EnumValueType)
    return (Property("EnumValues", enum, values, ua.VariantType.ExtensionObject, 1), VALUE_AS_TEXT)


_OF_TYPE: Final[dict[int, Properties]] = {
    ANALOG: _analog,
    ANALOG_UNIT: _analog,
    TWO_STATE: _two_state,
    MULTI_STATE: _multi_state,
    MULTI_STATE_VALUE: _multi_state_value,
}
