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
from scada.opcua.reading.request import NONE, Known, encoded

Codes = ua.StatusCodes


class Handles:
    """What one session has registered.

    Args:
        known: Rows of all tags that anybody has registered, by each way of writing their handles.
    """

    def __init__(self, known: Mapping[bytes, int]) -> None:
        self._known = known
        self.rows: dict[int, int] = {}
        """How often by row: a node that was registered twice is to be unregistered twice."""

    def add(self, row: int) -> None:
        """Registers a tag."""
        self.rows[row] = self.rows.get(row, 0) + 1

    def remove(self, row: int) -> None:
        """Unregisters it; nothing for one that is not registered."""
        times = self.rows.pop(row, 0)
        if times > 1:
            self.rows[row] = times - 1

    def get(self, piece: bytes) -> int | None:
        """The row of a handle as it is written; None for one that this session does not have."""
        row = self._known.get(piece)
        return row if row in self.rows else None


class Registered:
    """What all sessions have registered.

    Args:
        paths: Path of each tag by row.
        row_of: Row by path.
    """

    def __init__(self, paths: Sequence[str], row_of: Mapping[str, int]) -> None:
        self._paths = paths
        self._row_of = row_of
        self._known: dict[bytes, int] = {}
        self._of: WeakKeyDictionary[InternalSession, Handles] = WeakKeyDictionary()

    def register(self, session: InternalSession, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        """Handles for nodes, in order.

        Raises:
            ServiceError: There is nothing to do, too much to do, or too much registered.
        """
        _check(nodes)
        handles = self._of.setdefault(session, Handles(self._known))
        wanted = [self._row(session, node) for node in nodes]
        more = len({row for row in wanted if row is not None and row not in handles.rows})
        everybody = sum(len(its.rows) for its in self._of.values())
        own = len(handles.rows)
        if more and (own + more > limits.REGISTERED_PER_SESSION or everybody + more > limits.REGISTERED):
            raise ServiceError(Codes.BadTooManyOperations)
        for row in wanted:
            if row is not None:
                handles.add(row)
                for piece in encoded(row + 1, NAMESPACE):
                    self._known[piece] = row
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

    def encoded(self, session: InternalSession) -> Known:
        """Rows of a session's handles by the bytes of their NodeIds."""
        return self._of.get(session) or NONE

    def _row(self, session: InternalSession, node: ua.NodeId) -> int | None:
        path = path_of(self.resolve(session, node))
        return None if path is None else self._row_of.get(path)


def _check(nodes: Sequence[ua.NodeId]) -> None:
    if not nodes:
        raise ServiceError(Codes.BadNothingToDo)
    if len(nodes) > limits.NODES_PER_REGISTER:
        raise ServiceError(Codes.BadTooManyOperations)
