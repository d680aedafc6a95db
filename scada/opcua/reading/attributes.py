"""One attribute of one node, for one caller: what the table does not answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from asyncua import ua
from asyncua.crypto.permission_rules import User
from asyncua.server.address_space import AddressSpace, NodeData

from scada.opcua import ranges
from scada.opcua.nodes.ids import path_of
from scada.opcua.security.access import Access, Permission
from scada.opcua.table import Table
from tags.model import Tag

A: Final = ua.AttributeIds
Codes = ua.StatusCodes
_BINARY: Final = "Default Binary"
_LAST: Final = max(int(attribute) for attribute in A)


class RefusedError(Exception):
    """Why an attribute cannot be read: `status` is an OPC UA status code."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Attributes:
    """Reads attributes of all nodes.

    Args:
        aspace: The address space.
        tags: Of the site, by path.
        table: Their values.
        access: Who may what.
        started: When the server was started: source time of values that never change; a tag without a sample has none.
    """

    def __init__(
        self,
        aspace: AddressSpace,
        tags: Mapping[str, Tag],
        table: Table,
        access: Access,
        started: dt.datetime,
    ) -> None:
        self._aspace = aspace
        self._tags = tags
        self._table = table
        self._access = access
        self._started = started

    def read(
        self,
        item: ua.ReadValueId,
        node_id: ua.NodeId,
        caller: User | None,
        timestamps: int,
        now: dt.datetime,
    ) -> ua.DataValue:
        """A DataValue with the times that were asked for, or with a Bad status.

        Args:
            item: What is wanted.
            node_id: Of the node: not always that of the item, which may be a handle.
            caller: Of the session.
            timestamps: TimestampsToReturn.
            now: Server time, UTC.
        """
        server = now if timestamps in {1, 2} else None
        try:
            found = self._value(item, node_id, caller)
        except RefusedError as refused:
            return ua.DataValue(StatusCode=ua.StatusCode(refused.status), ServerTimestamp=server)
        source = None
        if timestamps in {0, 2} and item.AttributeId == A.Value:
            source = found.SourceTimestamp
            if source is None and path_of(node_id) not in self._table.row_of:
                source = self._started
        return ua.DataValue(
            Value=found.Value,
            StatusCode=found.StatusCode or ua.StatusCode(),
            SourceTimestamp=source,
            ServerTimestamp=server,
        )

    def _value(self, item: ua.ReadValueId, node_id: ua.NodeId, caller: User | None) -> ua.DataValue:
        path, attribute = path_of(node_id), int(item.AttributeId)
        row = None if path is None or attribute != A.Value else self._table.row_of.get(path)
        node = self._aspace.get(node_id) if row is None else None  # the value of a tag needs no node
        if node is None and row is None:
            raise RefusedError(Codes.BadNodeIdUnknown)
        if not 0 < attribute <= _LAST:
            raise RefusedError(Codes.BadAttributeIdInvalid)
        if path is not None and (refusal := self._refusal(caller, path, attribute)):
            raise RefusedError(refusal)
        if node is None:
            assert row is not None
            return self._asked_for(item, self._table.data_value(row), attribute)
        found = self._special(node, node_id, path, attribute, caller)
        if found is None:
            if attribute not in node.attributes:
                raise RefusedError(Codes.BadAttributeIdInvalid)
            if attribute == A.Value:
                _check_readable(node)
            found = self._aspace.read_attribute_value(node_id, A(attribute))
        return self._asked_for(item, found, attribute)

    @staticmethod
    def _asked_for(item: ua.ReadValueId, found: ua.DataValue, attribute: int) -> ua.DataValue:
        """The part of an attribute that was asked for, in the encoding that was asked for."""
        _check_encoding(item.DataEncoding, attribute, found)
        if item.IndexRange:
            return _part(found, item.IndexRange)
        return found

    def _refusal(self, caller: User | None, path: str, attribute: int) -> int:
        """Who may browse a node may read everything of it but its Value and its roles (OPC 10000-3 §8.55)."""
        if attribute == A.Value:
            return self._access.refusal(caller, path, Permission.READ)
        if attribute == A.RolePermissions:
            return self._access.refusal(caller, path, Permission.READ_ROLE_PERMISSIONS)
        return self._access.refusal(caller, path, Permission.BROWSE)

    def _special(
        self, node: NodeData, node_id: ua.NodeId, path: str | None, attribute: int, caller: User | None
    ) -> ua.DataValue | None:
        """Attributes that depend on the caller."""
        if path is None:
            return None
        if attribute == A.UserAccessLevel and (tag := self._tags.get(path)) is not None:
            return _good(self._access.access_level(caller, tag), ua.VariantType.Byte)
        if attribute == A.UserExecutable and A.Executable in node.attributes:
            both = [
                self._aspace.read_attribute_value(node_id, one).Value for one in (A.Executable, attribute)
            ]
            may = all(one is not None and one.Value for one in both) and self._access.permits(
                caller, path, Permission.CALL
            )
            return _good(may, ua.VariantType.Boolean)
        if attribute == A.RolePermissions:
            return _good(self._access.role_permissions(path), ua.VariantType.ExtensionObject)
        if attribute == A.UserRolePermissions:
            return _good(self._access.user_role_permissions(caller, path), ua.VariantType.ExtensionObject)
        if attribute == A.AccessRestrictions:
            return _good(self._access.restrictions(path), ua.VariantType.UInt16)
        return None


def _good(value: Any, kind: ua.VariantType) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind))


def _check_readable(node: NodeData) -> None:
    level = node.attributes.get(A.AccessLevel)
    value = level.value.Value if level is not None and level.value is not None else None
    if value is not None and not int(value.Value) & ua.AccessLevel.CurrentRead.mask:
        raise RefusedError(Codes.BadNotReadable)


def _check_encoding(encoding: ua.QualifiedName | None, attribute: int, found: ua.DataValue) -> None:
    """A DataEncoding can be asked of values that are structures (OPC 10000-4 §5.10.2.4)."""
    if encoding is None or not encoding.Name:
        return
    structure = found.Value is not None and found.Value.VariantType == ua.VariantType.ExtensionObject
    if attribute != A.Value or not structure:
        raise RefusedError(Codes.BadDataEncodingInvalid)
    if encoding.NamespaceIndex != 0 or encoding.Name != _BINARY:
        raise RefusedError(Codes.BadDataEncodingUnsupported)


def _part(found: ua.DataValue, text: str) -> ua.DataValue:
    try:
        wanted = ranges.parse(text)
    except ranges.RangeError:
        raise RefusedError(Codes.BadIndexRangeInvalid) from None
    variant = found.Value
    if variant is None or variant.Value is None:
        if found.StatusCode is not None and found.StatusCode.is_bad():
            return found
        raise RefusedError(Codes.BadIndexRangeNoData)
    try:
        value = ranges.cut(variant.Value, wanted)
    except ranges.NoDataError:
        raise RefusedError(Codes.BadIndexRangeNoData) from None
    return ua.DataValue(
        Value=ua.Variant(value, variant.VariantType, is_array=variant.is_array),
        StatusCode=found.StatusCode,
        SourceTimestamp=found.SourceTimestamp,
    )
