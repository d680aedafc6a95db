"""The nodes of tags, their properties and the folders that they lie in, under `Objects/<site>`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from asyncua import ua
from asyncua.server.address_space import NodeData

from scada.opcua.nodes import access_types as da
from scada.opcua.nodes import make
from scada.opcua.nodes.ids import MARK, NAMESPACE, node_id, part_id, path_of
from scada.opcua.nodes.references import ManyReferences
from scada.opcua.nodes.tree import Tree
from scada.opcua.types import VARIANT
from tags.model import Tag

MANY: Final = 256
"""From so many children on a folder's references are made one by one."""
NOTIFIES: Final = 1 | 4  # EventNotifier: SubscribeToEvents, HistoryRead (OPC 10000-3 §8.59)
_OBJECTS: Final = ua.NodeId(ua.ObjectIds.ObjectsFolder)
_FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
_FOLDER_REFERENCE: Final = make.type_reference(_FOLDER, "FolderType", ua.NodeClass.ObjectType)
_TYPES: Final = {
    kind: make.type_reference(ua.NodeId(kind), name, ua.NodeClass.VariableType)
    for kind, name in da.TYPE_NAMES.items()
}
_STANDARD_READ: Final = ua.AccessLevel.CurrentRead.mask

ReadRow = Callable[[int], ua.DataValue]


class TagNodes:
    """The source of tags and folders.

    Args:
        site: Name of the site: of the top folder.
        tags: In the order of the client's rows.
        value: The DataValue of a row as it is now.
        sampling_ms: How often values are looked at, ms.
        types: ObjectType of the folders that are equipment, by path: (NodeId, BrowseName).
        notifiers: Paths of folders that events can be subscribed at; `""` is the top.
        descriptions: Of folders, by path.
    """

    def __init__(
        self,
        site: str,
        tags: Sequence[Tag],
        value: ReadRow,
        sampling_ms: float = 50.0,
        types: Mapping[str, tuple[ua.NodeId, ua.QualifiedName]] | None = None,
        notifiers: Collection[str] = (),
        descriptions: Mapping[str, str] | None = None,
    ) -> None:
        self.tree = Tree(tags)
        self.tags = tags
        taken = site in self.tree.rows or site in self.tree.folders
        self.top = part_id(site, "site") if taken else node_id(site)
        self._site = site
        self._value = value
        self._sampling_ms = sampling_ms
        self._types = types or {}
        self._notifiers = notifiers
        self._descriptions = descriptions or {}

    def node(self, node_id: ua.NodeId) -> NodeData | None:
        """A tag, a folder or a property of a tag."""
        path = path_of(node_id)
        if path is None:
            return None
        if node_id == self.top:
            return self._folder("")
        row = self.tree.rows.get(path)
        if row is not None:
            return self._tag(row)
        if path in self.tree.folders:
            return self._folder(path)
        owner, mark, name = path.rpartition(MARK)
        row = self.tree.rows.get(owner) if mark else None
        return None if row is None else self._property(row, name)

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """The top folder below `Objects`."""
        if node_id == _OBJECTS:
            return (make.reference(make.ORGANIZES, self.top, self._top_name(), ua.NodeClass.Object, _FOLDER),)
        return ()

    def ids(self) -> Iterator[ua.NodeId]:
        """Folders before what lies in them, each tag before its properties."""
        yield self.top
        yield from self._below("")

    def _below(self, path: str) -> Iterator[ua.NodeId]:
        for child in self.tree.of(path):
            at = self._path(child)
            yield node_id(at)
            if isinstance(child, int):
                for one in da.properties(self.tags[child]):
                    yield part_id(at, one.name)
            yield from self._below(at)

    def _path(self, child: int | str) -> str:
        return child if isinstance(child, str) else self.tags[child].path

    def _top_name(self) -> ua.QualifiedName:
        return ua.QualifiedName(self._site, NAMESPACE)

    # What a node is to another one

    def _to_child(self, path: str, child: int | str) -> ua.ReferenceDescription:
        at = self._path(child)
        name = ua.QualifiedName(at.rpartition("/")[2], NAMESPACE)
        kind = self._kind(path)
        if isinstance(child, int):
            type_id = ua.NodeId(da.type_of(self.tags[child]))
            return make.reference(kind, node_id(at), name, ua.NodeClass.Variable, type_id)
        return make.reference(kind, node_id(at), name, ua.NodeClass.Object, self._type(at)[0])

    def _to_parent(self, path: str) -> ua.ReferenceDescription:
        parent = path.rpartition("/")[0]
        kind = self._kind(parent)
        if not parent:
            return make.reference(
                kind, self.top, self._top_name(), ua.NodeClass.Object, _FOLDER, forward=False
            )
        name = ua.QualifiedName(parent.rpartition("/")[2], NAMESPACE)
        row = self.tree.rows.get(parent)
        if row is None:
            class_, type_id = ua.NodeClass.Object, self._type(parent)[0]
        else:
            class_, type_id = ua.NodeClass.Variable, ua.NodeId(da.type_of(self.tags[row]))
        return make.reference(kind, node_id(parent), name, class_, type_id, forward=False)

    def _kind(self, parent: str) -> ua.NodeId:
        """How a parent holds what lies in it: a folder organizes, equipment and tags are made of it."""
        made_of = parent in self.tree.rows or parent in self._types
        return make.HAS_COMPONENT if made_of else make.ORGANIZES

    def _type(self, path: str) -> tuple[ua.NodeId, ua.QualifiedName]:
        return self._types.get(path) or (_FOLDER, ua.QualifiedName("FolderType", 0))

    def _children(
        self, path: str, first: list[ua.ReferenceDescription]
    ) -> list[ua.ReferenceDescription] | ManyReferences:
        below = self.tree.children.get(path, [])
        if len(below) < MANY:
            return [*first, *(self._to_child(path, child) for child in below)]

        def find(name: ua.QualifiedName) -> ua.ReferenceDescription | None:
            at = f"{path}/{name.Name}" if path else str(name.Name)
            if name.NamespaceIndex != NAMESPACE or "/" in str(name.Name):
                return None
            if (row := self.tree.rows.get(at)) is not None:
                return self._to_child(path, row)
            return self._to_child(path, at) if at in self.tree.folders else None

        return ManyReferences(first, len(below), lambda i: self._to_child(path, below[i]), find)

    # The nodes themselves

    def _folder(self, path: str) -> NodeData:
        if path:
            type_id, type_name = self._type(path)
            name = ua.QualifiedName(path.rpartition("/")[2], NAMESPACE)
            first = [
                make.reference(make.HAS_TYPE_DEFINITION, type_id, type_name, ua.NodeClass.ObjectType),
                self._to_parent(path),
            ]
        else:
            name = self._top_name()
            above = make.reference(
                make.ORGANIZES,
                _OBJECTS,
                ua.QualifiedName("Objects", 0),
                ua.NodeClass.Object,
                _FOLDER,
                forward=False,
            )
            first = [_FOLDER_REFERENCE, above]
        found = make.object_(
            node_id(path) if path else self.top,
            name,
            description=self._descriptions.get(path, ""),
            notifier=NOTIFIES if path in self._notifiers else 0,
        )
        found.references = self._children(path, first)
        return found

    def _tag(self, row: int) -> NodeData:
        tag = self.tags[row]
        first = [_TYPES[da.type_of(tag)], self._to_parent(tag.path)]
        first += [self._to_property(tag.path, one) for one in da.properties(tag)]
        found = make.variable(
            node_id(tag.path),
            ua.QualifiedName(tag.path.rpartition("/")[2], NAMESPACE),
            ua.NodeId(VARIANT[tag.type].value),
            lambda _node, _attribute: self._value(row),
            access=access_level(tag),
            historizing=tag.history.keep,
            sampling_ms=self._sampling_ms,
            description=tag.description or tag.path.rpartition("/")[2],
        )
        found.references = self._children(tag.path, first)
        return found

    def _to_property(self, path: str, one: da.Property) -> ua.ReferenceDescription:
        return make.reference(
            make.HAS_PROPERTY,
            part_id(path, one.name),
            ua.QualifiedName(one.name, 0),
            ua.NodeClass.Variable,
            make.PROPERTY_TYPE,
        )

    def _property(self, row: int, name: str) -> NodeData | None:
        tag = self.tags[row]
        one = next((one for one in da.properties(tag) if one.name == name), None)
        if one is None:
            return None
        owner = make.reference(
            make.HAS_PROPERTY,
            node_id(tag.path),
            ua.QualifiedName(tag.path.rpartition("/")[2], NAMESPACE),
            ua.NodeClass.Variable,
            ua.NodeId(da.type_of(tag)),
            forward=False,
        )
        value: ua.DataValue | make.ReadValue
        if one is da.VALUE_AS_TEXT:
            value = lambda _node, _attribute: as_text(tag, self._value(row))  # noqa: E731 - it needs no name
        else:
            value = ua.DataValue(ua.Variant(one.value, one.kind))
        return make.property_(part_id(tag.path, name), name, owner, one.data_type, value, rank=one.rank)


def access_level(tag: Tag) -> int:
    """AccessLevel bits of a tag (OPC 10000-3 §8.57): what can be done with it at all, by whomever."""
    write = ua.AccessLevel.CurrentWrite.mask if tag.writable else 0
    kept = ua.AccessLevel.HistoryRead.mask | ua.AccessLevel.HistoryWrite.mask
    return _STANDARD_READ | write | (kept if tag.history.keep else 0)


def as_text(tag: Tag, value: ua.DataValue) -> ua.DataValue:
    """`ValueAsText` (OPC 10000-8 §5.3.3.4): the text of the state that a tag is in; "" where it has none."""
    number = value.Value.Value if value.Value is not None else None
    text = "" if number is None else tag.states.get(str(int(number)), "")
    return ua.DataValue(
        Value=ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText),
        StatusCode=value.StatusCode,
        SourceTimestamp=value.SourceTimestamp,
        ServerTimestamp=value.ServerTimestamp,
    )
