"""Events for a sink: read from the history by their number, made into lines.

A row is `events_<measurement>,kind=…,path=…,site=… n=17i,json="{…}",message="…" <time>`. Its time is that of the event plus the last
three digits of its number as ns, so that two events of one moment do not become one row.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

import orjson

from historian.connect import FILE
from historian.sinks.lines import Lines, in_order, named, quoted
from historian.store import StoreError
from tags.model import Sink

PREFIX: Final = "events_"
_WORDS: Final = (
    "message",
    "state",
    "status",
    "user",
    "source",
    "service",
    "name",
    "reason",
    "action",
    "comment",
)
_TEXT_MAX: Final = 32_000  # InfluxDB takes texts up to 64 KiB


class Event(NamedTuple):
    """One event of the history.

    Attributes:
        id: Its number; later ones are larger.
        t: UTC, ns.
        kind: `alarm`, `request`, `login`, ….
        json: All of it.
    """

    id: int
    t: int
    kind: str
    json: str


def after(folder: Path, number: int, limit: int) -> tuple[list[Event], int]:
    """Events with a larger number, in order, and the largest number of all; 0 when there are none.

    Raises:
        StoreError: The history cannot be read now.
    """
    path = folder / FILE
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=2.0)) as db:
            last = db.execute("SELECT max(id) FROM event").fetchone()[0] or 0
            rows = db.execute(
                "SELECT id, t, kind, json FROM event WHERE id > ? ORDER BY id LIMIT ?", (number, limit)
            ).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    return [Event(*row) for row in rows], last


def lines(sink: Sink, site: str, events: Iterable[Event]) -> Lines:
    """Lines of events, in their order."""
    return in_order([_line(sink, site, event) for event in events])


def _line(sink: Sink, site: str, event: Event) -> bytes:
    said: dict[str, Any] = {}
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(event.json)
        said = found if isinstance(found, dict) else {}
    keys = {"kind": event.kind, "path": said.get("path"), "site": site}
    head = named(PREFIX + sink.measurement, {key: text for key, text in keys.items() if _is_text(text)})
    fields = [b"n=%di" % event.id, b"json=" + quoted(event.json[:_TEXT_MAX])]
    fields += [
        b"%b=%b" % (word.encode(), quoted(said[word][:_TEXT_MAX]))
        for word in _WORDS
        if isinstance(said.get(word), str)
    ]
    return b"%b %b %d\n" % (head, b",".join(fields), event.t + event.id % 1000)


def _is_text(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and text.isprintable() and not text.endswith("\\")
