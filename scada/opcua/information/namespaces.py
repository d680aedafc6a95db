"""Metadata of the site's namespace, below Server/Namespaces (OPC 10000-5 §6.3.13 NamespaceMetadataType)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import NodeData

from scada.opcua.information.standard import good, moment
from scada.opcua.nodes import make
from scada.opcua.nodes.ids import NAMESPACE, node_id
from tags.model import Site

ID: Final = "#namespace"
_NAMESPACES: Final = ua.NodeId(ua.ObjectIds.Server_Namespaces)
_TYPE: Final = ua.NodeId(ua.ObjectIds.NamespaceMetadataType)
_NAMESPACES_TYPE: Final = ua.NodeId(ua.ObjectIds.NamespacesType)
_ALL: Final = "%"
_VERSION_LENGTH: Final = 16


class NamespaceNodes:
    """The source of the metadata (`scada.opcua.nodes.lazy.Source`).

    Args:
        site: The compiled site.
        permissions: Gives DefaultRolePermissions, DefaultUserRolePermissions and DefaultAccessRestrictions for who asks;
            None where there are none to tell.
        utc_ns: Now.
    """

    def __init__(
        self, site: Site, permissions: Callable[[], tuple[list[Any], list[Any], int]] | None, utc_ns: int
    ) -> None:
        self._uri = f"urn:closedloop:{site.name}"
        kinds = ua.VariantType
        self._values: dict[str, tuple[Any, ua.VariantType, int, Callable[[], Any] | None]] = {
            "NamespaceUri": (self._uri, kinds.String, 12, None),
            "NamespaceVersion": (site.digest[:_VERSION_LENGTH], kinds.String, 12, None),
            "NamespacePublicationDate": (moment(published_ns(site, utc_ns)), kinds.DateTime, 13, None),
            "IsNamespaceSubset": (False, kinds.Boolean, 1, None),
            "StaticNodeIdTypes": ([ua.IdType.String], kinds.Int32, int(ua.ObjectIds.IdType), None),
            "StaticNumericNodeIdRange": ([], kinds.String, int(ua.ObjectIds.NumericRange), None),
            "StaticStringNodeIdPattern": (_ALL, kinds.String, 12, None),
        }
        if permissions is not None:
            entry, mask = int(ua.ObjectIds.RolePermissionType), int(ua.ObjectIds.AccessRestrictionType)
            self._values |= {
                "DefaultRolePermissions": ([], kinds.ExtensionObject, entry, lambda: permissions()[0]),
                "DefaultUserRolePermissions": ([], kinds.ExtensionObject, entry, lambda: permissions()[1]),
                "DefaultAccessRestrictions": (0, kinds.UInt16, mask, lambda: permissions()[2]),
            }
        self._now = utc_ns

    def node(self, node_id: ua.NodeId) -> NodeData | None:
        """The object or one of its properties."""
        if node_id.NamespaceIndex != NAMESPACE or not isinstance(node_id.Identifier, str):
            return None
        owner, _, name = node_id.Identifier.partition("/")
        if owner != ID:
            return None
        if not name:
            return self._object()
        return self._property(name) if name in self._values else None

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """The object below Server/Namespaces."""
        return [self._reference()] if node_id == _NAMESPACES else []

    def ids(self) -> Iterable[ua.NodeId]:
        """The object and its properties."""
        yield node_id(ID)
        for name in self._values:
            yield node_id(f"{ID}/{name}")

    def _reference(self) -> ua.ReferenceDescription:
        name = ua.QualifiedName(self._uri, NAMESPACE)
        return make.reference(make.HAS_COMPONENT, node_id(ID), name, ua.NodeClass.Object, _TYPE)

    def _object(self) -> NodeData:
        above = make.reference(
            make.HAS_COMPONENT,
            _NAMESPACES,
            ua.QualifiedName("Namespaces", 0),
            ua.NodeClass.Object,
            _NAMESPACES_TYPE,
            forward=False,
        )
        properties = [
            make.reference(
                make.HAS_PROPERTY,
                node_id(f"{ID}/{name}"),
                ua.QualifiedName(name, 0),
                ua.NodeClass.Variable,
                make.PROPERTY_TYPE,
            )
            for name in self._values
        ]
        definition = make.type_reference(_TYPE, "NamespaceMetadataType", ua.NodeClass.ObjectType)
        return make.object_(
            node_id(ID),
            ua.QualifiedName(self._uri, NAMESPACE),
            description="The site's tags, equipment and alarms",
            references=[definition, above, *properties],
        )

    def _property(self, name: str) -> NodeData:
        value, kind, data_type, read = self._values[name]
        owner = make.reference(
            make.HAS_PROPERTY,
            node_id(ID),
            ua.QualifiedName(self._uri, NAMESPACE),
            ua.NodeClass.Object,
            _TYPE,
            forward=False,
        )
        array = isinstance(value, list)
        held = good(value, kind, self._now, array=array)
        return make.property_(
            node_id(f"{ID}/{name}"),
            name,
            owner,
            ua.NodeId(data_type),
            held if read is None else lambda _node, _attribute: good(read(), kind, self._now, array=array),
            rank=ua.ValueRank.OneDimension if array else ua.ValueRank.Scalar,
        )


def published_ns(site: Site, utc_ns: int) -> int:
    """When the site was last edited: the newest of its files, ns UTC; now where there are none."""
    folder = Path(site.folder) if site.folder else None
    if folder is None or not folder.is_dir():
        return utc_ns
    times = [
        file.stat().st_mtime_ns
        for pattern in ("*.yaml", "*/*.yaml", "*/*.csv")
        for file in folder.glob(pattern)
    ]
    return max(times, default=utc_ns)
