"""Which devices are known to keep their heartbeat register: kept in the data directory over restarts of the plant.

A register that keeps what is written tells of a restart, and it takes some heartbeats to learn that it does. What was
learnt counts as long as the device and the register are the same, so that a PLC that loses its power right after the
plant was started is noticed, too.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import orjson

from scada import arming
from tags.model import Device


class Trust:
    """The devices of one field service that were seen to keep the register.

    Args:
        path: File of this service; it need not be there, and one that cannot be read says nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, str] = {}
        self._news = False
        with contextlib.suppress(OSError, ValueError):
            found: Any = orjson.loads(path.read_bytes())
            if isinstance(found, dict):
                self._places = {str(name): str(place) for name, place in found.items()}

    def knows(self, device: Device) -> bool:
        """Whether the device keeps its register, as far as is known."""
        return self._places.get(device.name) == _place(device)

    def note(self, device: Device, *, keeps: bool) -> None:
        """Takes what was learnt; `save` keeps it."""
        if keeps == self.knows(device):
            return
        if keeps:
            self._places[device.name] = _place(device)
        else:
            self._places.pop(device.name, None)
        self._news = True

    def save(self) -> None:
        """Writes what is news. It waits for no disk: what a power cut takes is learnt anew; a full disk changes nothing."""
        if not self._news:
            return
        self._news = False
        fresh = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):
            fresh.write_bytes(orjson.dumps(self._places, option=orjson.OPT_INDENT_2))
            fresh.replace(self._path)


def _place(device: Device) -> str:
    """The register: another endpoint, unit or address is another one."""
    heartbeat = device.heartbeat or {}
    return f"{arming.place(device)} {orjson.dumps(heartbeat.get('address'), option=orjson.OPT_SORT_KEYS).decode()}"
