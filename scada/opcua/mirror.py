"""Values for readers and changes for subscribers, straight from the client's copy of the image."""

from __future__ import annotations

from collections.abc import Mapping

from asyncua import ua
from asyncua.server.address_space import AttributeValue

from scada.client import Client
from scada.clock import Clock
from scada.opcua.types import data_value


class Mirror:
    """Answers reads from the last look at the plant and pushes what changed since the one before.

    Only tags that somebody monitors cost anything when they change.

    Args:
        client: The plant.
        values: The Value attribute of each tag's node, by path.
        clock: For server time stamps.
    """

    def __init__(self, client: Client, values: Mapping[str, AttributeValue], clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._changes = client.changes()
        self._values = [values[tag.path] for tag in client.tag_list]
        for attribute in self._values:
            attribute.value = None
            attribute.value_callback = self._read

    def _read(self, node: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
        del attribute
        return self._data_value(self._client.index[str(node.Identifier)], self._clock.utc_ns())

    def _data_value(self, i: int, now_ns: int) -> ua.DataValue:
        sample = self._client.sample(i)
        return data_value(
            self._client.tag_list[i].type, sample.value, sample.status, sample.source_ns, now_ns
        )

    async def push(self) -> int:
        """Looks at the plant and tells the subscribers of each tag that changed; returns how many tags changed."""
        changed = self._changes.poll()
        now_ns = self._clock.utc_ns()
        for i in changed:
            callbacks = self._values[i].datachange_callbacks
            if callbacks:
                value = self._data_value(i, now_ns)
                for handle, callback in list(callbacks.items()):
                    await callback(handle, value)
        return len(changed)
