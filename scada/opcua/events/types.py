"""The event types of the address space: which type is which, and what fields an event of it has (OPC 10000-5 §6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData

BASE: Final = ua.NodeId(ua.ObjectIds.BaseEventType)
CONDITION: Final = ua.NodeId(ua.ObjectIds.ConditionType)
_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_PARTS: Final = frozenset(
    {
        ua.NodeId(ua.ObjectIds.HasProperty),
        ua.NodeId(ua.ObjectIds.HasComponent),
        ua.NodeId(ua.ObjectIds.HasOrderedComponent),
    }
)
_DEPTH: Final = 32
Path = tuple[tuple[int, str], ...]
"""Namespace index and name of each BrowseName on the way from the event to the field."""


class EventTypes:
    """Looks types up in an address space, and remembers what it found: types do not change while a server runs.

    Args:
        aspace: With the standard nodes.
    """

    def __init__(self, aspace: AddressSpace) -> None:
        self._aspace = aspace
        self._above: dict[ua.NodeId, tuple[ua.NodeId, ...]] = {}
        self._fields: dict[ua.NodeId, frozenset[Path]] = {}
        self._all: frozenset[Path] | None = None

    def line(self, type_: ua.NodeId) -> tuple[ua.NodeId, ...]:
        """The type and its super types, BaseEventType last; empty for what is not an event type."""
        known = self._above.get(type_)
        if known is None:
            found: list[ua.NodeId] = []
            at: ua.NodeId | None = type_
            while at is not None and len(found) < _DEPTH:
                found.append(at)
                at = None if at == BASE else self._super(at)
            known = tuple(found) if found[-1] == BASE else ()
            if known:  # what a client makes up is not remembered
                self._above[type_] = known
        return known

    def knows(self, type_: ua.NodeId) -> bool:
        """Whether this is an event type."""
        return bool(self.line(type_))

    def is_of(self, type_: ua.NodeId, wanted: ua.NodeId) -> bool:
        """Whether `type_` is `wanted` or a subtype of it."""
        return wanted in self.line(type_)

    def fields(self, type_: ua.NodeId) -> frozenset[Path]:
        """Paths of all instance declarations of a type, inherited ones too (OPC 10000-4 §7.22.3)."""
        known = self._fields.get(type_)
        if known is None:
            known = frozenset(path for owner in self.line(type_) for path in self._declared(owner, ()))
            self._fields[type_] = known
        return known

    def has(self, type_: ua.NodeId, path: Path) -> bool:
        """Whether events of a type may have this field; of BaseEventType: whether any event may."""
        if type_ != BASE:
            return path in self.fields(type_)
        if self._all is None:
            self._all = frozenset(path for one in self._below(BASE) for path in self.fields(one))
        return path in self._all

    def _super(self, type_: ua.NodeId) -> ua.NodeId | None:
        data: NodeData | None = self._aspace.get(type_)
        for one in data.references if data is not None else ():
            if not one.IsForward and one.ReferenceTypeId == _SUBTYPE:
                return one.NodeId
        return None

    def _below(self, type_: ua.NodeId) -> Iterator[ua.NodeId]:
        yield type_
        data: NodeData | None = self._aspace.get(type_)
        for one in list(data.references) if data is not None else ():
            if one.IsForward and one.ReferenceTypeId == _SUBTYPE:
                yield from self._below(one.NodeId)

    def _declared(self, owner: ua.NodeId, above: Path) -> Iterator[Path]:
        data: NodeData | None = self._aspace.get(owner)
        for one in data.references if data is not None and len(above) < _DEPTH else ():
            if one.IsForward and one.ReferenceTypeId in _PARTS and one.NodeClass != ua.NodeClass.Method:
                path = (*above, key(one.BrowseName))
                yield path
                yield from self._declared(one.NodeId, path)


def key(name: Any) -> tuple[int, str]:
    """A BrowseName as part of a `Path`."""
    return int(name.NamespaceIndex), str(name.Name or "")


def path_of(names: Any) -> Path:
    """A BrowsePath of an operand as `Path`."""
    return tuple(key(name) for name in names or ())
