"""The list of bypassed protections, and of those that may be: from the state that control keeps, and from the site."""

from __future__ import annotations

from typing import Any

import orjson

from scada.client.types import Bypass
from scada.datadir import DataDir
from tags.mapped import ImageError
from tags.model import Site
from tags.slots import SlotReader


class Bypasses:
    """The bypasses of a plant.

    Args:
        site: Compiled.
        data: Its data directory.
    """

    def __init__(self, site: Site, data: DataDir) -> None:
        self._data = data
        self.permitted: dict[str, tuple[int, str]] = {
            f"{block.path}/{name}" if name else block.path: (int(one["max_ns"]), str(one["role"]))
            for block in site.blocks
            for name, one in (block.config.get("bypass") or {}).items()
        }

    def current(self) -> list[Bypass]:
        """See `Client.bypasses`."""
        if not self.permitted:
            return []
        try:
            reader = SlotReader(self._data.control_state)
        except ImageError:
            return []
        payload = reader.read()
        reader.close()
        try:
            rows = orjson.loads(payload)["bypasses"] if payload else []
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return []
        return [made for row in rows if (made := _bypass(row)) is not None] if isinstance(rows, list) else []


def _bypass(row: Any) -> Bypass | None:
    try:
        return Bypass(
            str(row["path"]), int(row["until"]), int(row["since"]), str(row["user"]), str(row["reason"])
        )
    except (KeyError, TypeError, ValueError):
        return None
