"""RegisterNodes and UnregisterNodes (OPC 10000-4 §5.8.5, §5.8.6): short names for nodes, valid in one session.

A tag gets a numeric NodeId that is as short as can be on the wire; what is no tag keeps the NodeId that it has, which
the specification allows. Both are looked up by the services that work on single nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from scada.opcua import limits
from scada.opcua.nodes.ids import NAMESPACE, node_id, path_of
from scada.opcua.reading.request import NONE, encoded

Codes = ua.StatusCodes


class Handles:
    """What one session has registered."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        """How often by row: a node that was registered twice is to be unregistered twice."""
        self.encoded: dict[bytes, int] = {}
        """Row by each way of writing its handle."""

    def add(self, row: int) -> None:
        """Registers a tag."""
        times = self.rows.get(row, 0)
        self.rows[row] = times + 1
        if not times:
            for piece in encoded(row + 1, NAMESPACE):
                self.encoded[piece] = row

    def remove(self, row: int) -> None:
        """Unregisters it; nothing for one that is not registered."""
        times = self.rows.pop(row, 0)
        if times > 1:
            self.rows[row] = times - 1
        elif times:
            for piece in encoded(row + 1, NAMESPACE):
                del self.encoded[piece]


class Registered:
    """What all sessions have registered.

    Args:
        paths: Path of each tag by row.
        row_of: Row by path.
    """

    def __init__(self, paths: Sequence[str], row_of: Mapping[str, int]) -> None:
        self._paths = paths
        self._row_of = row_of
        self._of: WeakKeyDictionary[InternalSession, Handles] = WeakKeyDictionary()

    def register(self, session: InternalSession, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        """Handles for nodes, in order.

        Raises:
            ServiceError: There is nothing to do, too much to do, or too much registered.
        """
        _check(nodes)
        handles = self._of.setdefault(session, Handles())
        wanted = [self._row(session, node) for node in nodes]
        if len(handles.rows) + sum(row is not None for row in wanted) > limits.REGISTERED_PER_SESSION:
            raise ServiceError(Codes.BadTooManyOperations)
        for row in wanted:
            if row is not None:
                handles.add(row)
        return [
            node if row is None else ua.NodeId(row + 1, NAMESPACE)
            for node, row in zip(nodes, wanted, strict=True)
        ]

    def unregister(self, session: InternalSession, nodes: Sequence[ua.NodeId]) -> None:
        """Forgets handles; those that are none are passed over (§5.8.6.2).

        Raises:
            ServiceError: There is nothing to do, or too much.
        """
        _check(nodes)
        handles = self._of.get(session)
        for node in nodes:
            if handles is not None and node.NamespaceIndex == NAMESPACE and isinstance(node.Identifier, int):
                handles.remove(node.Identifier - 1)

    def resolve(self, session: InternalSession | None, node: ua.NodeId) -> ua.NodeId:
        """The node behind a handle of the session; the node itself for all others."""
        if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, int):
            return node
        handles = None if session is None else self._of.get(session)
        row = node.Identifier - 1
        return node if handles is None or row not in handles.rows else node_id(self._paths[row])

    def encoded(self, session: InternalSession) -> Mapping[bytes, int]:
        """Rows of a session's handles by the bytes of their NodeIds."""
        handles = self._of.get(session)
        return NONE if handles is None else handles.encoded

    def _row(self, session: InternalSession, node: ua.NodeId) -> int | None:
        path = path_of(self.resolve(session, node))
        return None if path is None else self._row_of.get(path)


def _check(nodes: Sequence[ua.NodeId]) -> None:
    if not nodes:
        raise ServiceError(Codes.BadNothingToDo)
    if len(nodes) > limits.NODES_PER_REGISTER:
        raise ServiceError(Codes.BadTooManyOperations)
