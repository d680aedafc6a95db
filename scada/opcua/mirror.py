"""Changes of tags for monitored items of asyncua, straight from the table."""

from __future__ import annotations

from asyncua import ua

from scada.clock import Clock
from scada.opcua.nodes.ids import node_id
from scada.opcua.nodes.lazy import LazyNodes
from scada.opcua.table import Table


class Mirror:
    """Pushes what changed since the last look.

    Only tags that somebody monitors cost anything when they change.

    Args:
        table: The tags.
        nodes: Of the address space.
        clock: For server time stamps.
    """

    def __init__(self, table: Table, nodes: LazyNodes, clock: Clock) -> None:
        self._table = table
        self._nodes = nodes
        self._clock = clock

    async def push(self) -> int:
        """Looks at the plant and tells the subscribers of each tag that changed; returns how many tags changed."""
        changed = self._table.refresh(self._clock.utc_ns()).tolist()
        for row in changed:
            node = self._nodes.built(node_id(self._table.tags[row].path))
            callbacks = node.attributes[ua.AttributeIds.Value].datachange_callbacks if node else None
            if callbacks:
                value = self._table.data_value(row)
                for handle, callback in list(callbacks.items()):
                    await callback(handle, value)
        return len(changed)
