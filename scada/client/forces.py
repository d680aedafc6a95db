"""The list of forced values: control's table of forces, and who ordered them from its events."""

from __future__ import annotations

from typing import Any

import orjson

from scada.client.events import EventFollower
from scada.client.images import Images
from scada.client.types import Force
from scada.datadir import DataDir
from tags import quality
from tags.model import Site
from tags.slots import SlotReader
from tags.types import STRING, Value, from_bits


class Forces:
    """The forces of a plant. A tag is forced when its status says so or when control's table has it."""

    def __init__(self, site: Site, data: DataDir) -> None:
        self._tags = site.by_path()
        self._table = SlotReader(data.forces)
        self._events = EventFollower(data, ("control",), {"force", "request"}, oldest=True)
        self._orders: dict[str, dict[str, Any]] = {}

    def current(self, images: Images) -> list[Force]:
        """See `Client.forces`."""
        for event in self._events.poll():
            self._note(event)
        table = self._read()
        marked = (images.status & 0xFFFF_0000) == quality.GOOD_LOCAL_OVERRIDE
        paths = {images.tags[i].path for i in marked.nonzero()[0]} | (table.keys() & images.index.keys())
        found = []
        for path in sorted(paths):
            order = self._orders.get(path, {})
            expires = table[path][1] if path in table else order.get("expires_utc_ns")
            value = self._value(path, table, images)
            found.append(
                Force(path, value, expires, str(order.get("user", "")), str(order.get("reason", "")))
            )
        return found

    def _value(self, path: str, table: dict[str, Any], images: Images) -> Value:
        """What it is held at, also before its writer has shown it."""
        type_ = self._tags[path].type
        if path in table and type_ != STRING:
            return from_bits(type_, int(table[path][0]))
        return images.value(images.index[path])

    def _note(self, event: dict[str, Any]) -> None:
        if (
            event["kind"] == "request"
            and event.get("request") == "force"
            and event.get("status") == "confirmed"
        ):
            for path, _ in event.get("items", ()):
                self._orders[path] = event
        elif event["kind"] == "force" and "path" in event:
            self._orders[event["path"]] = {**self._orders.get(event["path"], {}), **event}

    def _read(self) -> dict[str, Any]:
        payload = self._table.read()
        if not payload:
            return {}
        try:
            table = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return {}
        return table if isinstance(table, dict) else {}

    def close(self) -> None:
        """Forgets the mappings."""
        self._events.close()
        self._table.close()
