"""Following the event rings of all services: alarms, requests, log-ins, service life."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from scada.datadir import DataDir
from tags.events import EventReader


class EventFollower:
    """Reads events in order, each once; says so when it was too slow.

    Args:
        data: The plant's data directory.
        writers: Services to follow.
        kinds: Only these, or None for all.
        oldest: Begin with the oldest that the rings still hold; else with what comes from now on.
    """

    def __init__(
        self,
        data: DataDir,
        writers: Iterable[str],
        kinds: Iterable[str] | None = None,
        *,
        oldest: bool = False,
    ) -> None:
        self.kinds = frozenset(kinds) if kinds is not None else None
        self.lost = 0
        self._readers: list[tuple[str, EventReader]] = []
        for writer in writers:
            reader = EventReader(data.events(writer))
            if oldest:
                reader.to_oldest()
            else:
                reader.to_end()
            self._readers.append((writer, reader))

    def poll(self, limit: int = 10_000) -> list[dict[str, Any]]:
        """New events by time, at most about `limit` per service.

        Returns:
            JSON objects with at least `kind`, `t` (UTC, ns) and `service`. Where events were overwritten before
            they were read stands `{"kind": "gap", "lost": n, …}`, whatever kinds were asked for.
        """
        found: list[dict[str, Any]] = []
        for writer, reader in self._readers:
            records, lost = drain(reader, limit)
            events = [event for _, payload in records if (event := parse(payload, writer)) is not None]
            if lost:
                self.lost += lost
                first = events[0]["t"] if events else 0
                found.append({"kind": "gap", "t": first, "service": writer, "lost": lost})
            found.extend(event for event in events if self.kinds is None or event["kind"] in self.kinds)
        found.sort(key=lambda event: event["t"])
        return found

    def close(self) -> None:
        """Forgets the mappings."""
        for _, reader in self._readers:
            reader.close()


def drain(reader: EventReader, limit: int) -> tuple[list[tuple[int, bytes]], int]:
    """Reads an event ring up to its end or the limit; returns records and how many were lost."""
    found: list[tuple[int, bytes]] = []
    lost = 0
    while len(found) < limit:
        records, gone = reader.read(limit - len(found))
        found += records
        lost += gone
        if not records:
            break
    return found, lost


def parse(payload: bytes, writer: str) -> dict[str, Any] | None:
    """The event in a ring record; None for what is not one (a newer version's, or damage)."""
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("kind"), str)
        or not isinstance(event.get("t"), int)
    ):
        return None
    event.setdefault("service", writer)
    return event
