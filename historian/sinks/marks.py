"""Notices that a database has lost what it was sent: a mark is written into it each minute and looked for after trouble.

The mark is a row of `forward_<measurement>`. When the newest that the database took is not there any more, the database was
wiped, or an older copy of it was restored; then it gets the history since the newest mark that it still has.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import orjson

from historian.sinks.answers import RefusedError, Reply
from historian.sinks.influxql import double_quoted, quoted
from historian.sinks.lines import named
from tags.model import Sink

EVERY_NS: Final = 60 * 1_000_000_000
SETTLES_NS: Final = 10 * 1_000_000_000  # VictoriaMetrics shows what it took some seconds later
PREFIX: Final = (
    "forward_"  # in front: InfluxDB 1.6 drops no measurement whole while another begins with its name
)
_MS: Final = 1_000_000


class Asked(Protocol):
    """A database that answers questions."""

    def query(self, text: str, *, changes: bool = False) -> list[dict[str, Any]]:
        """Asks in InfluxQL."""
        ...

    def ask(self, path: str, fields: dict[str, str], *, changes: bool = False) -> bytes:
        """The body of an answer."""
        ...


class Marked(Asked, Protocol):
    """One that takes marks too."""

    def post(self, body: bytes) -> Reply:
        """Sends lines."""
        ...


def line(sink: Sink, site: str, utc_ns: int) -> bytes:
    """A mark."""
    series = named(PREFIX + sink.measurement, {"sink": sink.name, "site": site})
    return b"%b at=%di %d\n" % (series, utc_ns, utc_ns)


def newest(target: Asked, sink: Sink, site: str, wanted_ns: int) -> int | None:
    """Time of the newest mark in the database, UTC, ns; 0 when it has none; None when it does not tell.

    Args:
        target: The database.
        sink: Which it is.
        site: Name of the site.
        wanted_ns: Of the mark that should be there.

    Raises:
        RefusedError: It does not answer at all.
    """
    try:
        if sink.type == "influxdb":
            return _influx(target, sink, site)
        return _victoria(target, sink, site, wanted_ns)
    except RefusedError as error:
        if not error.status:
            raise
        if error.status == 404 or "not found" in str(error):
            return 0
        return None
    except (ValueError, KeyError, IndexError, TypeError):
        return None  # it speaks something else


def _influx(target: Asked, sink: Sink, site: str) -> int:
    where = f'"sink" = {quoted(sink.name)} AND "site" = {quoted(site)}'
    found = target.query(f'SELECT last("at") FROM "{PREFIX}{sink.measurement}" WHERE {where}')  # noqa: S608 - quoted
    return int(found[0]["values"][0][1]) if found else 0


def _victoria(target: Asked, sink: Sink, site: str, wanted_ns: int) -> int:
    name = f"{{__name__={double_quoted(f'{PREFIX}{sink.measurement}_at')},sink={double_quoted(sink.name)},site={double_quoted(site)}}}"
    for start in (wanted_ns // _MS, 0):
        body = target.ask("/api/v1/export", {"match[]": name, "start": f"{start / 1000:.3f}"})
        times = [t for row in body.splitlines() for t in orjson.loads(row)["timestamps"]]
        if times:
            return max(times) * _MS if start == 0 else wanted_ns
    return 0
