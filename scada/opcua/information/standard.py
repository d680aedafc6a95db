"""Setting what the standard nodes hold, and taking away those that would promise what is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData

VALUE: Final = ua.AttributeIds.Value
_AGGREGATES: Final = frozenset(
    ua.NodeId(kind)
    for kind in (ua.ObjectIds.HasComponent, ua.ObjectIds.HasProperty, ua.ObjectIds.HasOrderedComponent)
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Read = Callable[[], ua.DataValue]


def moment(utc_ns: int) -> datetime:
    """A time of ours as asyncua takes it: ns since 1970 to a datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=utc_ns // 1000)


def good(value: Any, kind: ua.VariantType, utc_ns: int, *, array: bool | None = None) -> ua.DataValue:
    """A Good DataValue of this time, ns UTC."""
    now = moment(utc_ns)
    return ua.DataValue(
        Value=ua.Variant(value, kind, is_array=array), SourceTimestamp=now, ServerTimestamp=now
    )


def put(aspace: AddressSpace, number: int, value: Any, kind: ua.VariantType, utc_ns: int) -> None:
    """Sets the value of a standard variable.

    Args:
        aspace: With the standard nodes.
        number: Its identifier in namespace 0.
        value: A list for an array.
        kind: Of the value.
        utc_ns: Since when it holds.
    """
    held = aspace[ua.NodeId(number)].attributes[VALUE]
    held.value = good(value, kind, utc_ns, array=isinstance(value, list))
    held.value_callback = None


def live(aspace: AddressSpace, number: int, read: Read) -> None:
    """Makes a standard variable show what `read` gives, each time; what asyncua writes to it is dropped."""
    held = aspace[ua.NodeId(number)].attributes[VALUE]
    held.value_callback = lambda _node, _attribute: read()
    held.value_setter = lambda _node, _attribute, _value: None


def prune(aspace: AddressSpace, numbers: Iterable[int]) -> int:
    """Takes standard nodes away, with what they are made of and all references to them; returns how many.

    Args:
        aspace: With the standard nodes.
        numbers: Identifiers in namespace 0; one that is not there is no mistake.
    """
    gone: dict[ua.NodeId, NodeData] = {}
    waiting = [ua.NodeId(number) for number in numbers]
    while waiting:
        node = waiting.pop()
        data = aspace.get(node)
        if data is None or node in gone:
            continue
        gone[node] = data
        waiting += [
            one.NodeId for one in data.references if one.IsForward and one.ReferenceTypeId in _AGGREGATES
        ]
    for other in {one.NodeId for data in gone.values() for one in data.references} - gone.keys():
        data = aspace.get(other)
        if data is not None:
            data.references = [one for one in data.references if one.NodeId not in gone]
    for node in gone:
        del aspace[node]
    return len(gone)


def below(aspace: AddressSpace, number: int, classes: Sequence[ua.NodeClass]) -> Iterable[int]:
    """Identifiers of the components of a standard node, at any depth, of these classes."""
    waiting = [ua.NodeId(number)]
    while waiting:
        for one in aspace[waiting.pop()].references:
            if one.IsForward and one.ReferenceTypeId in _AGGREGATES and one.NodeId in aspace:
                waiting.append(one.NodeId)
                if one.NodeClass in classes:
                    yield int(one.NodeId.Identifier)
