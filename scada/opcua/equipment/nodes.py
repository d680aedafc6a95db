"""Nodes of equipment: types with what their objects have, objects, methods and their arguments.

A type lies below `BaseObjectType`; its members and methods carry modelling rules (OPC 10000-3 §6.4.4). The folder of
a unit is a node of the tags' source, which asks `Equipment.type_of` for its type; methods and links are added to it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from asyncua import ua
from asyncua.server.address_space import AttributeValue, NodeData

from scada.opcua.equipment.methods import NUMBER, Argument, Method
from scada.opcua.equipment.model import BASE, Equipment, Item, Kind
from scada.opcua.nodes import make
from scada.opcua.nodes.access_types import type_of
from scada.opcua.nodes.ids import NAMESPACE, node_id, part_id, path_of
from scada.opcua.types import VARIANT
from tags.model import Tag

MANDATORY: Final = ua.NodeId(ua.ObjectIds.ModellingRule_Mandatory)
OPTIONAL: Final = ua.NodeId(ua.ObjectIds.ModellingRule_Optional)
BASE_OBJECT: Final = ua.NodeId(ua.ObjectIds.BaseObjectType)
_FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
_BASE_VARIABLE: Final = ua.NodeId(ua.ObjectIds.BaseDataVariableType)
_ARGUMENT: Final = ua.NodeId(ua.ObjectIds.Argument)
_KINDS: Final = {NUMBER: ua.VariantType.Double}
_INPUTS, _OUTPUTS = "InputArguments", "OutputArguments"
_RESULTS: Final = (
    ("Outcome", ua.ValueRank.Scalar, "confirmed, rejected, timed out, mismatched or superseded"),
    ("Reasons", ua.ValueRank.OneDimension, "What refuses it, in words; empty when confirmed"),
)
Executable = Callable[[Item, Method], bool]
"""Whether who asks just now may call a method of an object."""


class EquipmentNodes:
    """The source of the nodes of equipment (`scada.opcua.nodes.lazy.Source`).

    Args:
        equipment: Of the site.
        site: Name of the site.
        top: Identifier of the site's top folder.
        executable: Gives UserExecutable when it is read.
    """

    def __init__(self, equipment: Equipment, site: str, top: str, executable: Executable) -> None:
        self._equipment, self._site, self._top, self._executable = equipment, site, top, executable
        self._below: dict[str, list[Item]] = {}
        self._linked_by: dict[str, list[Item]] = {}
        for item in equipment.items.values():
            if item.beside:
                self._below.setdefault(self._home(item), []).append(item)
            for path in self._links(item):
                self._linked_by.setdefault(path, []).append(item)

    def node(self, node_id: ua.NodeId) -> NodeData | None:
        """A node of a type, an object beside its tag, a method or its arguments."""
        path = path_of(node_id)
        if path is None or "#" not in path:
            return None
        head, _, rest = path.rpartition("#")
        if path == BASE:
            return self._type(Kind(BASE, "EquipmentType", "A piece of equipment of the site", ""))
        if path.startswith("#"):
            return self._of_kind(path)
        item = self._equipment.items.get(path)
        if item is not None and item.beside:
            return self._object(item)
        owner = self._equipment.items.get(head) or self._equipment.items.get(f"{head}#unit")
        name, slash, part = rest.partition("/")
        if owner is None or name not in owner.methods:
            return None
        method = owner.methods[name]
        if slash:
            return self._arguments(part_id(owner.path, name), method, part)
        above = make.reference(
            make.HAS_COMPONENT,
            _id(owner.id),
            _name(owner),
            ua.NodeClass.Object,
            _id(owner.kind),
            forward=False,
        )
        return self._method(
            part_id(owner.path, name), method, [above], partial(self._executable, owner, method)
        )

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """Types below BaseObjectType; methods, links and objects beside tags below the tags' folders."""
        if node_id == BASE_OBJECT:
            return [self._subtype(Kind(BASE, "EquipmentType", "", ""))]
        path = path_of(node_id)
        if path is None or "#" in path:
            return []
        found = [self._link(item) for item in self._below.get(path, ())]
        found += [self._link(item, forward=False) for item in self._linked_by.get(path, ())]
        item = self._equipment.items.get(path)
        if item is not None and not item.beside:
            found += self._parts(item)
        return found

    def ids(self) -> Iterable[ua.NodeId]:
        """All nodes of its own, types first."""
        yield _id(BASE)
        for kind in self._equipment.kinds.values():
            yield _id(kind.id)
            for name in kind.members:
                yield _id(f"{kind.id}/{name}")
            for method in kind.methods.values():
                yield from _of_method(part_id(kind.id, method.name), method)
        for item in self._equipment.items.values():
            if item.beside:
                yield _id(item.id)
            for method in item.methods.values():
                yield from _of_method(part_id(item.path, method.name), method)

    # Types

    def _of_kind(self, path: str) -> NodeData | None:
        """`#type/x`, its member `#type/x/OUT`, its method `#type/x#Open`, that one's `#type/x#Open/InputArguments`."""
        if path in self._equipment.kinds:
            return self._type(self._equipment.kinds[path])
        head, mark, name = path.rpartition("/")
        kind = self._equipment.kinds.get(head)
        if mark and kind is not None and name in kind.members:
            return self._member(kind, name)
        head, mark, rest = path.rpartition("#")
        kind = self._equipment.kinds.get(head)
        name, slash, part = rest.partition("/")
        if not mark or kind is None or name not in kind.methods:
            return None
        method = kind.methods[name]
        if slash:
            return self._arguments(part_id(kind.id, name), method, part)
        above = make.reference(
            make.HAS_COMPONENT, _id(kind.id), _qualified(kind.name), ua.NodeClass.ObjectType, forward=False
        )
        return self._method(part_id(kind.id, name), method, [above, self._rule(kind, name)])

    def _type(self, kind: Kind) -> NodeData:
        above = self._equipment.kinds.get(kind.above)
        if kind.id == BASE:
            upper = (BASE_OBJECT, ua.QualifiedName("BaseObjectType", 0))
        else:
            upper = (_id(kind.above), _qualified("EquipmentType" if above is None else above.name))
        references = [make.reference(make.HAS_SUBTYPE, *upper, ua.NodeClass.ObjectType, forward=False)]
        references += [self._subtype(one) for one in self._equipment.kinds.values() if one.above == kind.id]
        references += [
            make.reference(
                make.HAS_COMPONENT,
                _id(f"{kind.id}/{name}"),
                _qualified(name),
                ua.NodeClass.Variable,
                _BASE_VARIABLE,
            )
            for name in kind.members
        ]
        references += [self._call(part_id(kind.id, name), name) for name in kind.methods]
        data = make.node(
            _id(kind.id),
            ua.NodeClass.ObjectType,
            _qualified(kind.name),
            description=kind.description,
            references=references,
        )
        make.put(data, make.A.IsAbstract, kind.id == BASE, ua.VariantType.Boolean)
        return data

    def _member(self, kind: Kind, name: str) -> NodeData:
        tag = kind.members[name]
        type_ = ua.NodeId(VARIANT[tag.type].value)
        above = make.reference(
            make.HAS_COMPONENT, _id(kind.id), _qualified(kind.name), ua.NodeClass.ObjectType, forward=False
        )
        definition = make.type_reference(_BASE_VARIABLE, "BaseDataVariableType", ua.NodeClass.VariableType)
        return make.variable(
            _id(f"{kind.id}/{name}"),
            _qualified(name),
            type_,
            ua.DataValue(ua.Variant(), StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)),
            access=_access(tag),
            references=[definition, above, self._rule(kind, name)],
        )

    def _rule(self, kind: Kind, name: str) -> ua.ReferenceDescription:
        needed = name in kind.everywhere
        rule = ua.QualifiedName("Mandatory" if needed else "Optional", 0)
        target = MANDATORY if needed else OPTIONAL
        type_ = ua.NodeId(ua.ObjectIds.ModellingRuleType)
        return make.reference(make.HAS_MODELLING_RULE, target, rule, ua.NodeClass.Object, type_)

    def _subtype(self, kind: Kind) -> ua.ReferenceDescription:
        return make.reference(make.HAS_SUBTYPE, _id(kind.id), _qualified(kind.name), ua.NodeClass.ObjectType)

    # Objects

    def _object(self, item: Item) -> NodeData:
        home = self._home(item)
        kind = self._equipment.kinds[item.kind]
        type_ = self._equipment.type_of(home)
        above = make.reference(
            make.ORGANIZES,
            _id(home),
            _qualified(self._site if home == self._top else home.rpartition("/")[2]),
            ua.NodeClass.Object,
            _FOLDER if type_ is None else _id(type_),
            forward=False,
        )
        definition = make.reference(
            make.HAS_TYPE_DEFINITION, _id(kind.id), _qualified(kind.name), ua.NodeClass.ObjectType
        )
        return make.object_(
            _id(item.id),
            _name(item),
            description=item.description,
            references=[definition, above, *self._parts(item)],
        )

    def _home(self, item: Item) -> str:
        """The folder that an object beside its tag lies in: no tag, for tags organize nothing."""
        path = item.path.rpartition("/")[0]
        while path in self._equipment.tags:
            path = path.rpartition("/")[0]
        return path or self._top

    def _link(self, item: Item, *, forward: bool = True) -> ua.ReferenceDescription:
        return make.reference(
            make.ORGANIZES,
            _id(item.id),
            _name(item),
            ua.NodeClass.Object,
            _id(item.kind),
            forward=forward,
        )

    def _links(self, item: Item) -> Iterable[str]:
        """Tags that it works with and that are no components of it: an object beside its tag has none."""
        return (*item.links, *(item.members.values() if item.beside else ()))

    def _parts(self, item: Item) -> list[ua.ReferenceDescription]:
        """Methods and linked tags of an object."""
        found = [self._call(part_id(item.path, name), name) for name in item.methods]
        for path in self._links(item):
            type_ = ua.NodeId(type_of(self._equipment.tags[path]))
            name = _qualified(path.rpartition("/")[2])
            found.append(make.reference(make.ORGANIZES, _id(path), name, ua.NodeClass.Variable, type_))
        return found

    # Methods

    def _call(self, id_: ua.NodeId, name: str) -> ua.ReferenceDescription:
        return make.reference(make.HAS_COMPONENT, id_, _qualified(name), ua.NodeClass.Method)

    def _method(
        self,
        id_: ua.NodeId,
        method: Method,
        references: list[ua.ReferenceDescription],
        executable: Callable[[], bool] | None = None,
    ) -> NodeData:
        """A Method (OPC 10000-3 §5.7); that of a type is executable by nobody: it is called on an object."""
        for part in _parts_of(method):
            name = ua.QualifiedName(part, 0)
            target = _id(f"{id_.Identifier}/{part}")
            references.append(
                make.reference(make.HAS_PROPERTY, target, name, ua.NodeClass.Variable, make.PROPERTY_TYPE)
            )
        data = make.node(
            id_,
            ua.NodeClass.Method,
            _qualified(method.name),
            description=method.description,
            references=references,
        )
        make.put(data, make.A.Executable, value=True, kind=ua.VariantType.Boolean)
        allowed = AttributeValue(None)
        allowed.value_callback = partial(_allowed, executable)
        data.attributes[make.A.UserExecutable] = allowed
        return data

    def _arguments(self, owner: ua.NodeId, method: Method, part: str) -> NodeData | None:
        if part not in _parts_of(method):
            return None
        listed = (
            [_input(one) for one in method.inputs] if part == _INPUTS else [_output(*one) for one in _RESULTS]
        )
        value = ua.DataValue(ua.Variant(listed, ua.VariantType.ExtensionObject))
        above = make.reference(
            make.HAS_PROPERTY, owner, _qualified(method.name), ua.NodeClass.Method, forward=False
        )
        id_ = _id(f"{owner.Identifier}/{part}")
        return make.property_(id_, part, above, _ARGUMENT, value, rank=ua.ValueRank.OneDimension)


def _allowed(
    executable: Callable[[], bool] | None, _node: ua.NodeId, _attribute: ua.AttributeIds
) -> ua.DataValue:
    return ua.DataValue(ua.Variant(executable is None or executable(), ua.VariantType.Boolean))


def _parts_of(method: Method) -> tuple[str, ...]:
    return (_INPUTS, _OUTPUTS) if method.inputs else (_OUTPUTS,)


def _of_method(id_: ua.NodeId, method: Method) -> Iterable[ua.NodeId]:
    yield id_
    for part in _parts_of(method):
        yield _id(f"{id_.Identifier}/{part}")


def _input(argument: Argument) -> ua.Argument:
    kind = _KINDS.get(argument.kind, ua.VariantType.String)
    return _argument(argument.name, kind, ua.ValueRank.Scalar, argument.description)


def _output(name: str, rank: ua.ValueRank, description: str) -> ua.Argument:
    return _argument(name, ua.VariantType.String, rank, description)


def _argument(name: str, kind: ua.VariantType, rank: ua.ValueRank, description: str) -> ua.Argument:
    return ua.Argument(
        Name=name,
        DataType=ua.NodeId(kind.value),
        ValueRank=int(rank),
        ArrayDimensions=[0] if rank > 0 else [],
        Description=ua.LocalizedText(description),
    )


def _access(tag: Tag) -> int:
    return int(ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.CurrentWrite.mask if tag.writable else 0))


def _id(identifier: str) -> ua.NodeId:
    return node_id(identifier)


def _qualified(name: str) -> ua.QualifiedName:
    return ua.QualifiedName(name, NAMESPACE)


def _name(item: Item) -> ua.QualifiedName:
    name = item.id.rpartition("/")[2]
    return _qualified(name)
