"""The mapping that asyncua looks for nodes in: nodes are made when somebody asks for them.

asyncua keeps 8 KB for each variable. Here a hundred thousand tags cost a dictionary of names; of the nodes that were
looked at the last ones are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData

KEPT: Final = 4096
"""Made nodes that are kept; about 6 KB each."""


class Source(Protocol):
    """Makes the nodes of one kind."""

    def node(self, node_id: ua.NodeId) -> NodeData | None:
        """A node of its own, made anew; None for a node that is not its own."""

    def references(self, node_id: ua.NodeId) -> Sequence[ua.ReferenceDescription]:
        """References that it adds to a node of another source or to a standard node; mostly none.

        Both directions: who adds a component below somebody's folder gives the folder the forward reference here, and
        his own node the inverse one.
        """

    def ids(self) -> Iterable[ua.NodeId]:
        """All nodes of its own, for the export; in the order in which they shall be written."""


class LazyNodes(dict[ua.NodeId, NodeData]):
    """Ordinary nodes as in any dictionary, others from sources.

    Iteration shows ordinary nodes only. A node is pinned while something hangs on it that cannot be made again: a
    method's function, a monitored item of asyncua, a setter.

    Args:
        nodes: The ordinary ones.
        kept: How many made nodes are kept.
    """

    def __init__(self, nodes: dict[ua.NodeId, NodeData], kept: int = KEPT) -> None:
        super().__init__(nodes)
        self.sources: list[Source] = []
        self._made: OrderedDict[ua.NodeId, NodeData] = OrderedDict()
        self._pinned: dict[ua.NodeId, NodeData] = {}
        self._kept = kept

    def attach(self, source: Source) -> None:
        """Adds a source, and its references to the ordinary nodes; nodes that were made are forgotten.

        Attach all before the server listens.
        """
        self.sources.append(source)
        for node_id, data in self.items():
            data.references.extend(source.references(node_id))
        self._made.clear()

    def built(self, node_id: ua.NodeId) -> NodeData | None:
        """The node if it is there without being made."""
        found = dict.get(self, node_id) or self._pinned.get(node_id)
        return found or self._made.get(node_id)

    def forget(self, node_id: ua.NodeId) -> None:
        """Makes the node anew when it is asked for next, unless it is pinned."""
        self._made.pop(node_id, None)

    def __missing__(self, key: ua.NodeId) -> NodeData:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: ua.NodeId, default: Any = None) -> Any:
        """As of any dictionary."""
        found = dict.get(self, key)
        if found is None:
            found = self._find(key)
        return default if found is None else found

    def __contains__(self, key: object) -> bool:
        return isinstance(key, ua.NodeId) and (dict.__contains__(self, key) or self._find(key) is not None)

    def _find(self, key: ua.NodeId) -> NodeData | None:
        found = self._made.get(key)
        if found is not None:
            self._made.move_to_end(key)
            return found
        return self._pinned.get(key) or self._make(key)

    def _make(self, key: ua.NodeId) -> NodeData | None:
        for source in self.sources:
            found = source.node(key)
            if found is not None:
                for other in self.sources:
                    if other is not source:
                        found.references.extend(other.references(key))
                self._made[found.nodeid] = found
                self._shrink()
                return found
        return None

    def _shrink(self) -> None:
        while len(self._made) > self._kept:
            key, data = self._made.popitem(last=False)
            if is_pinned(data):
                self._pinned[key] = data
                if len(self._pinned) % 256 == 0:
                    self._unpin()

    def _unpin(self) -> None:
        for key in [key for key, data in self._pinned.items() if not is_pinned(data)]:
            del self._pinned[key]


def is_pinned(data: NodeData) -> bool:
    """Whether something hangs on a node that would be lost with it."""
    return data.call is not None or any(
        value.datachange_callbacks or value.value_setter for value in data.attributes.values()
    )


def install(aspace: AddressSpace, kept: int = KEPT) -> LazyNodes:
    """Puts the mapping into asyncua's address space, with all nodes that are there.

    Args:
        aspace: With the standard nodes.
        kept: How many made nodes are kept.
    """
    nodes = LazyNodes(dict(aspace._nodes), kept)  # noqa: SLF001 - asyncua exchanges it itself (load_aspace_shelf)
    aspace._nodes = nodes  # noqa: SLF001
    return nodes
