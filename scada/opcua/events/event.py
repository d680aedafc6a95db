"""One event as a client may ask for it. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asyncua import ua

from scada.opcua.events.types import Path

NULL: Final = ua.Variant(None, ua.VariantType.Null)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened.

    Attributes:
        type: EventType.
        fields: By path from the event; all standard fields have namespace 0.
        path: Tag path that it is about, for areas and permissions; "" for the server itself.
        audit: It says what a client did: not for everybody.
        condition: ConditionId, for events of conditions.
        t_ns: Time, UTC, ns.
    """

    type: ua.NodeId
    fields: Mapping[Path, ua.Variant]
    path: str = ""
    audit: bool = False
    condition: ua.NodeId | None = None
    t_ns: int = 0

    def value(self, path: Path) -> ua.Variant:
        """A field; Null when it has none of this name."""
        return self.fields.get(path, NULL)


@functools.lru_cache(1024)
def at(*names: str) -> Path:
    """Path of a standard field: `at("AckedState", "Id")`."""
    return tuple((0, name) for name in names)
