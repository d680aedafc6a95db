"""The nodes of conditions, made when somebody looks (OPC 10000-9 §5.12: instances in the address space).

A condition is `ns=2;s=<alarm>#condition`, a component of the folder that its tag lies in; the tag has a HasCondition
reference to it. Its variables are `<alarm>#condition/<field>`; its methods are those of its type. Folders notify of the
events of the folders and tags in them: Server, the site, areas (HasNotifier), tags (HasEventSource).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData

from scada.alarms.state import DISABLED
from scada.opcua.conditions.fields import ALWAYS, PART, Kind
from scada.opcua.conditions.state import Conditions
from scada.opcua.events.event import at
from scada.opcua.events.types import Path
from scada.opcua.nodes import make
from scada.opcua.nodes.access_types import type_of
from scada.opcua.nodes.ids import MARK, NAMESPACE, node_id, path_of
from scada.opcua.types import time_of
from tags.model import Site, Tag

HAS_CONDITION: Final = ua.NodeId(ua.ObjectIds.HasCondition)
HAS_NOTIFIER: Final = ua.NodeId(ua.ObjectIds.HasNotifier)
HAS_EVENT_SOURCE: Final = ua.NodeId(ua.ObjectIds.HasEventSource)
_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
_SHELVING: Final = at("ShelvingState")
_METHODS: Final = (
    "ConditionType_Enable", "ConditionType_Disable", "ConditionType_AddComment",
    "AcknowledgeableConditionType_Acknowledge", "AlarmConditionType_Suppress", "AlarmConditionType_Suppress2",
    "AlarmConditionType_Unsuppress", "AlarmConditionType_Unsuppress2", "AlarmConditionType_RemoveFromService",
    "AlarmConditionType_RemoveFromService2", "AlarmConditionType_PlaceInService", "AlarmConditionType_PlaceInService2",
)  # fmt: skip
_SHELVING_METHODS: Final = (
    "AlarmConditionType_ShelvingState_TimedShelve", "AlarmConditionType_ShelvingState_OneShotShelve",
    "AlarmConditionType_ShelvingState_Unshelve", "ShelvedStateMachineType_TimedShelve2",
    "ShelvedStateMachineType_OneShotShelve2", "ShelvedStateMachineType_Unshelve2",
)  # fmt: skip


class ConditionNodes:
    """A source of nodes (`scada.opcua.nodes.lazy.Source`).

    Args:
        aspace: With the standard types.
        site: The compiled site.
        conditions: What the nodes show.
        top: Of the site, in `Objects`.
        types: Types of folders that are equipment, as `TagNodes` has them.
        tags: Of the site by path, where somebody has them already.
    """

    def __init__(
        self,
        aspace: AddressSpace,
        site: Site,
        conditions: Conditions,
        top: ua.NodeId,
        types: Mapping[str, tuple[ua.NodeId, ua.QualifiedName]] | None = None,
        tags: Mapping[str, Tag] | None = None,
    ) -> None:
        self._aspace, self._conditions, self._top, self._types = aspace, conditions, top, types or {}
        self._top_name = ua.QualifiedName(site.name, NAMESPACE)
        self._tags: Mapping[str, Tag] = site.by_path() if tags is None else tags
        self._alike: dict[tuple[ua.NodeId, str, bool, bool], list[Path]] = {}
        self._declared: dict[tuple[ua.NodeId, Path], ua.ReferenceDescription | None] = {}
        self._in_folder: dict[str, list[str]] = {}
        self._of_tag: dict[str, list[str]] = {}
        self._sources: dict[str, dict[str, None]] = {}
        self._areas: dict[str, dict[str, None]] = {}
        for path, kind in conditions.kinds.items():
            folder = self._folder(kind.alarm.tag)
            self._in_folder.setdefault(folder, []).append(path)
            self._of_tag.setdefault(kind.alarm.tag, []).append(path)
            self._sources.setdefault(folder, {})[kind.alarm.tag] = None
            while folder:
                above = folder.rpartition("/")[0]
                self._areas.setdefault(above, {})[folder] = None
                folder = above

    @property
    def notifiers(self) -> set[str]:
        """Folders that one may subscribe to events of; "" is the site."""
        return {"", *self._sources, *self._areas}

    def _folder(self, tag: str) -> str:
        """The folder that a tag lies in; a tag below a tag lies where that one does."""
        folder = tag.rpartition("/")[0]
        while folder in self._tags:
            folder = folder.rpartition("/")[0]
        return folder

    # Source

    def node(self, node_id: ua.NodeId) -> NodeData | None:
        """A condition, or one of its parts."""
        path = path_of(node_id) or ""
        alarm, mark, part = path.partition(MARK)
        kind = self._conditions.kinds.get(alarm) if mark else None
        if kind is None:
            return None
        if part == PART:
            return self._condition(kind)
        head, _, rest = part.partition("/")
        return self._part(kind, at(*rest.split("/"))) if head == PART and rest else None

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """HasNotifier, HasEventSource, HasCondition, and the conditions that lie in a folder."""
        if node_id == _SERVER:
            return [self._to_folder(HAS_NOTIFIER, "")]
        if node_id == self._top:
            server = ua.QualifiedName("Server", 0)
            above = make.reference(
                HAS_NOTIFIER, _SERVER, server, ua.NodeClass.Object, ua.NodeId(ua.ObjectIds.ServerType), forward=False
            )  # fmt: skip
            return [above, *self._below("")]
        path = path_of(node_id)
        if path is None or MARK in path:
            return []
        found: list[ua.ReferenceDescription] = []
        if path in self._areas.get(path.rpartition("/")[0], ()):
            found.append(self._to_folder(HAS_NOTIFIER, path.rpartition("/")[0], forward=False))
            found += self._below(path)
        if path in self._of_tag:
            found.append(self._to_folder(HAS_EVENT_SOURCE, self._folder(path), forward=False))
            found += [self._to_condition(HAS_CONDITION, alarm) for alarm in self._of_tag[path]]
        return found

    def ids(self) -> Iterable[ua.NodeId]:
        """Each condition before its parts."""
        for path, kind in self._conditions.kinds.items():
            yield kind.id
            for field in self._parts(path):
                yield _id(kind, field)

    # References

    def _below(self, folder: str) -> Iterator[ua.ReferenceDescription]:
        for area in self._areas.get(folder, ()):
            yield self._to_folder(HAS_NOTIFIER, area)
        for tag in self._sources.get(folder, ()):
            yield self._to_tag(HAS_EVENT_SOURCE, tag)
        for alarm in self._in_folder.get(folder, ()):
            yield self._to_condition(make.HAS_COMPONENT, alarm)

    def _to_folder(self, kind: ua.NodeId, folder: str, *, forward: bool = True) -> ua.ReferenceDescription:
        name = ua.QualifiedName(folder.rpartition("/")[2], NAMESPACE) if folder else self._top_name
        target = node_id(folder) if folder else self._top
        return make.reference(
            kind, target, name, ua.NodeClass.Object, self._types.get(folder, (_FOLDER,))[0], forward=forward
        )

    def _to_tag(self, kind: ua.NodeId, tag: str, *, forward: bool = True) -> ua.ReferenceDescription:
        name = ua.QualifiedName(tag.rpartition("/")[2], NAMESPACE)
        type_ = ua.NodeId(type_of(self._tags[tag]))
        return make.reference(kind, node_id(tag), name, ua.NodeClass.Variable, type_, forward=forward)

    def _to_condition(
        self, reference: ua.NodeId, alarm: str, *, forward: bool = True
    ) -> ua.ReferenceDescription:
        kind = self._conditions.kinds[alarm]
        return make.reference(
            reference, kind.id, self._name(kind), ua.NodeClass.Object, kind.type, forward=forward
        )

    def _name(self, kind: Kind) -> ua.QualifiedName:
        """BrowseName: unique in its folder."""
        folder = self._folder(kind.alarm.tag)
        return ua.QualifiedName(kind.alarm.path.removeprefix(f"{folder}/").replace("/", " "), NAMESPACE)

    # Nodes

    def _condition(self, kind: Kind) -> NodeData:
        folder = self._folder(kind.alarm.tag)
        references = [
            make.type_reference(kind.type, _type_name(kind.type), ua.NodeClass.ObjectType),
            self._to_folder(make.HAS_COMPONENT, folder, forward=False),
            self._to_tag(HAS_CONDITION, kind.alarm.tag, forward=False),
        ]
        references += [
            self._to_part(kind, field) for field in self._parts(kind.alarm.path) if len(field) == 1
        ]
        references += [self._to_method(name) for name in _METHODS]
        if kind.alarm.confirm:
            references.append(self._to_method("AcknowledgeableConditionType_Confirm"))
        return make.object_(
            kind.id,
            self._name(kind),
            display=f"{kind.alarm.tag} {kind.name}",
            description=kind.alarm.message,
            references=references,
        )

    def _parts(self, path: str) -> list[Path]:
        """All fields of a condition that are nodes, and the object that holds those of its shelf."""
        kind = self._conditions.kinds[path]
        shelved = bool(kind.alarm.shelve_max_ns)
        alike = (kind.type, kind.level, kind.alarm.confirm, shelved)
        known = self._alike.get(alike)
        if known is None:
            fields = self._conditions.fields(path)
            known = [one for one in fields if self._declaration(kind, one) is not None]
            if not shelved:
                known = [one for one in known if one[0] != _SHELVING[0]]
            known += [_SHELVING] * shelved
            self._alike[alike] = known
        return known

    def _part(self, kind: Kind, field: Path) -> NodeData | None:
        declared = self._declaration(kind, field)
        if declared is None or field not in self._parts(kind.alarm.path):
            return None
        above = self._to_part(kind, field[:-1], declared, forward=False)
        below = [
            self._to_part(kind, one)
            for one in self._parts(kind.alarm.path)
            if len(one) == len(field) + 1 and one[:-1] == field
        ]
        if field == _SHELVING:
            below += [self._to_method(name) for name in _SHELVING_METHODS]
        type_class = ua.NodeClass.ObjectType if field == _SHELVING else ua.NodeClass.VariableType
        type_id = _plain(declared.TypeDefinition)
        references = [make.type_reference(type_id, _type_name(type_id), type_class), above, *below]
        name = ua.QualifiedName(field[-1][1], 0)
        if field == _SHELVING:
            return make.object_(_id(kind, field), name, references=references)
        data = self._aspace[_plain(declared.NodeId)]
        return make.variable(
            _id(kind, field),
            name,
            _attribute(data, ua.AttributeIds.DataType, ua.NodeId()),
            lambda _node, _attribute_id: self._value(kind, field),
            rank=_attribute(data, ua.AttributeIds.ValueRank, ua.ValueRank.Scalar),
            references=references,
        )

    def _value(self, kind: Kind, field: Path) -> ua.DataValue:
        """What a variable of a condition reads now."""
        path = kind.alarm.path
        record = self._conditions.record(path)
        stamp = time_of(record.t_ns) if record.t_ns else None
        disabled = self._conditions.bits(path) & DISABLED
        if disabled and field not in ALWAYS and field[0][1] != "EnabledState":
            return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadConditionDisabled))
        value = self._conditions.fields(path)[field]
        return ua.DataValue(
            Value=value, StatusCode=ua.StatusCode(0), SourceTimestamp=stamp, ServerTimestamp=stamp
        )

    def _to_part(
        self,
        kind: Kind,
        field: Path,
        declared: ua.ReferenceDescription | None = None,
        *,
        forward: bool = True,
    ) -> ua.ReferenceDescription:
        """To a part of a condition, or back to what it is part of by the kind of reference that its declaration has."""
        own = declared or self._declaration(kind, field)
        if own is None:
            raise AssertionError(f"{field} is no part of {kind.type}")
        if not field:
            return make.reference(
                own.ReferenceTypeId,
                kind.id,
                self._name(kind),
                ua.NodeClass.Object,
                kind.type,
                forward=forward,
            )
        is_object = field == _SHELVING
        target = own if forward else self._declaration(kind, field) or own
        return make.reference(
            own.ReferenceTypeId,
            _id(kind, field),
            ua.QualifiedName(field[-1][1], 0),
            ua.NodeClass.Object if is_object else ua.NodeClass.Variable,
            _plain(target.TypeDefinition),
            forward=forward,
        )

    def _to_method(self, name: str) -> ua.ReferenceDescription:
        method = ua.NodeId(getattr(ua.ObjectIds, name))
        return make.reference(
            make.HAS_COMPONENT, method, ua.QualifiedName(name.rpartition("_")[2], 0), ua.NodeClass.Method
        )

    def _declaration(self, kind: Kind, field: Path) -> ua.ReferenceDescription | None:
        """Where the type or a super type declares a field: the reference to its declaration."""
        known = (kind.type, field)
        if known not in self._declared:
            self._declared[known] = self._find(kind.type, field)
        return self._declared[known]

    def _find(self, type_: ua.NodeId, field: Path) -> ua.ReferenceDescription | None:
        at_: ua.NodeId | None = type_
        while at_ is not None:
            found = self._walk(at_, field)
            if found is not None:
                return found
            above: NodeData | None = self._aspace.get(at_)
            at_ = next(
                (
                    _plain(one.NodeId)
                    for one in (above.references if above is not None else ())
                    if one.ReferenceTypeId == _SUBTYPE and not one.IsForward
                ),
                None,
            )
        return None

    def _walk(self, owner: ua.NodeId, field: Path) -> ua.ReferenceDescription | None:
        found: ua.ReferenceDescription | None = None
        for _, name in field:
            data: NodeData | None = self._aspace.get(owner)
            found = next(
                (
                    one
                    for one in (data.references if data is not None else ())
                    if one.IsForward
                    and one.ReferenceTypeId in (make.HAS_PROPERTY, make.HAS_COMPONENT)
                    and one.BrowseName.Name == name
                ),
                None,
            )
            if found is None:
                return None
            owner = _plain(found.NodeId)
        return found


def _id(kind: Kind, field: Path) -> ua.NodeId:
    return ua.NodeId("/".join((str(kind.id.Identifier), *(name for _, name in field))), NAMESPACE)


def _plain(node: Any) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex)


def _type_name(type_: ua.NodeId) -> str:
    return str(ua.ObjectIdNames.get(type_.Identifier, "")) if isinstance(type_.Identifier, int) else ""


def _attribute(data: NodeData, attribute: ua.AttributeIds, default: Any) -> Any:
    held = data.attributes.get(attribute)
    value = held.value.Value if held is not None and held.value is not None else None
    return default if value is None or value.Value is None else value.Value
