"""Which devices may be written to: `state/armed.json` in the data directory, never in YAML.

Outputs start disarmed. Arming is done on this host by whoever owns the data directory; field reads the file again
when it changes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson


def armed(path: Path) -> dict[str, dict[str, Any]]:
    """Armed devices.

    Args:
        path: `DataDir.armed`.

    Returns:
        Device name → `{"reason", "user", "utc_ns"}`. An absent or unreadable file arms nothing.
    """
    try:
        table = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def arm(path: Path, device: str, *, reason: str, user: str, utc_ns: int) -> None:
    """Arms a device, with who, when (UTC ns) and why.

    Raises:
        OSError: The file cannot be written.
    """
    _write(path, armed(path) | {device: {"reason": reason, "user": user, "utc_ns": utc_ns}})


def disarm(path: Path, device: str) -> None:
    """Disarms a device; fine when it was not armed.

    Raises:
        OSError: The file cannot be written.
    """
    table = armed(path)
    table.pop(device, None)
    _write(path, table)


def _write(path: Path, table: dict[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps(table, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
