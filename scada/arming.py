"""Which devices may be written to: `state/armed.json` in the data directory, never in YAML.

Outputs start disarmed. Arming is done on this host by whoever owns the data directory; field reads the file again
when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from scada.datadir import write_file
from tags.model import Device


def place(device: Device) -> str:
    """Where a device is, as arming remembers it: driver, endpoint and unit."""
    return f"{device.driver} {device.config.get('endpoint', '')} unit {device.config.get('unit_id', '')}"


def armed(path: Path, devices: Iterable[Device]) -> dict[str, dict[str, Any]]:
    """Which of the devices are armed.

    Args:
        path: `DataDir.armed`.
        devices: Of the site. One whose endpoint was edited since is another device behind an old name: not armed.

    Returns:
        Device name → `{"reason", "user", "utc_ns", "place"}`. An absent or unreadable file arms nothing.
    """
    table = _entries(path)
    return {
        device.name: table[device.name]
        for device in devices
        if table.get(device.name, {}).get("place") == place(device)
    }


def arm(path: Path, device: Device, *, reason: str, user: str, utc_ns: int) -> None:
    """Arms a device where it is now, with who, when (UTC ns) and why.

    Raises:
        OSError: The file cannot be written.
    """
    entry = {"reason": reason, "user": user, "utc_ns": utc_ns, "place": place(device)}
    _write(path, _read(path) | {device.name: entry})


def armed_by(path: Path, user: str) -> list[str]:
    """Names of all devices, of whatever site, that this user armed."""
    return [
        name for name, entry in _entries(path).items() if entry.get("place") and entry.get("user") == user
    ]


def disarm(path: Path, device: str, *, reason: str, user: str, utc_ns: int) -> None:
    """Disarms a device, with who, when (UTC ns) and why; fine when it was not armed.

    Raises:
        OSError: The file cannot be written.
    """
    entry = {"reason": reason, "user": user, "utc_ns": utc_ns, "place": None}
    _write(path, _read(path) | {device: entry})


def last_word(path: Path, device: str) -> tuple[str, str]:
    """Who armed or disarmed a device last, and why; empty when nobody did."""
    entry = _entries(path).get(device, {})
    return str(entry.get("user", "")), str(entry.get("reason", ""))


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    return {name: entry for name, entry in _read(path).items() if isinstance(entry, dict)}


def _read(path: Path) -> dict[str, Any]:
    try:
        table = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _write(path: Path, table: dict[str, Any]) -> None:
    write_file(path, orjson.dumps(table, option=orjson.OPT_INDENT_2))
