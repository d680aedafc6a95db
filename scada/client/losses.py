"""Why devices are not connected: what field said last of each."""

from __future__ import annotations

from scada.client.events import EventFollower
from scada.datadir import DataDir
from tags.model import Site


class Losses:
    """Follows what the field services say of the connections of their devices."""

    def __init__(self, site: Site, data: DataDir) -> None:
        self._events = EventFollower(
            data, sorted({device.service for device in site.devices}), {"service"}, oldest=True
        )
        self._reasons: dict[str, str] = {}

    def current(self) -> dict[str, str]:
        """See `Client.why_not_connected`."""
        for event in self._events.poll():
            device = event.get("device")
            if event.get("state") == "not connected":
                self._reasons[str(device)] = str(event.get("reason") or "no reason known")
            elif event.get("state") == "connected":
                self._reasons.pop(str(device), None)
        return dict(self._reasons)

    def close(self) -> None:
        """Forgets the mappings."""
        self._events.close()
