"""What a database holds, asked in InfluxQL on `/query`: samples of a tag, values by interval, how many rows there are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from historian.sinks.answers import RefusedError
from historian.sinks.influx import Influx
from historian.sinks.influxql import key_of, quoted
from historian.sinks.lines import field_of
from historian.store import Samples
from tags.model import Sink, Tag
from tags.types import FLOATS, STRING, to_bits

FUNCTIONS: Final = {
    "average": "mean",
    "min": "min",
    "max": "max",
    "sum": "sum",
    "count": "count",
    "first": "first",
    "last": "last",
    "range": "spread",
    "deviation": "stddev",
}
_FIELDS: Final = ("v", "i", "b", "s")
_ROWS_AT_ONCE: Final = 10_000  # InfluxDB 1.8 and later give no more in one answer, unless they were told to


class SinkReader:
    """Reads a database that history is forwarded to.

    Args:
        sink: Which; of type `influxdb`.

    Raises:
        ValueError: It does not speak InfluxQL.
    """

    def __init__(self, sink: Sink) -> None:
        if sink.type != "influxdb":
            raise ValueError(
                f"a sink of type {sink.type}, which does not speak InfluxQL: ask it in its own language"
            )
        self._sink, self._influx = sink, Influx(sink)
        self._from = f'"{sink.measurement}"'
        self._key = key_of(sink)

    def raw(self, tag: Tag, start_ns: int, end_ns: int, limit: int = 100_000) -> Samples:
        """Rows of a tag with start <= t < end, as samples; those without a value are Bad.

        Args:
            tag: Of the site.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            limit: At most so many, the oldest.

        Raises:
            RefusedError: It does not answer, or with an error.
        """
        rows: list[list[Any]] = []
        field = field_of(tag)
        while len(rows) <= limit:
            at_once = min(_ROWS_AT_ONCE, limit + 1 - len(rows))
            found = self._influx.query(
                f'SELECT "{field}", "q" FROM {self._from} WHERE {self._where(tag.path, start_ns, end_ns)} '  # noqa: S608 - quoted
                f"ORDER BY time LIMIT {at_once}"
            )
            more = found[0]["values"] if found else []
            rows += more
            if len(more) < at_once:
                break
            start_ns = int(more[-1][0]) + 1
        return _samples(tag, rows[:limit], more=len(rows) > limit)

    def aggregate(
        self, tag: Tag, name: str, start_ns: int, end_ns: int, every_ns: int
    ) -> list[tuple[int, float | None]]:
        """One value for each interval: its start, UTC, ns, and the value; None where there are no rows.

        Args:
            tag: Of the site; a number or a switch.
            name: One of `FUNCTIONS`. An average is that of the rows, not over time.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            every_ns: Length of an interval, ns; intervals begin at the start.

        Raises:
            ValueError: No such function.
            RefusedError: It does not answer, or with an error.
        """
        if name not in FUNCTIONS:
            raise ValueError(f"{name!r} is not one of {', '.join(FUNCTIONS)}")
        found = self._influx.query(
            f'SELECT {FUNCTIONS[name]}("{field_of(tag)}") FROM {self._from} '  # noqa: S608 - quoted
            f"WHERE {self._where(tag.path, start_ns, end_ns)} "
            f"GROUP BY time({every_ns}ns, {start_ns % every_ns}ns) fill(null)"
        )
        return [(int(row[0]), row[1]) for row in (found[0]["values"] if found else [])]

    def counts(self, start_ns: int, end_ns: int) -> dict[str, int]:
        """How many rows with a value each tag has, start <= t < end, by path.

        Raises:
            RefusedError: It does not answer, or with an error.
        """
        fields = ", ".join(f'count("{field}") AS "{field}"' for field in _FIELDS)
        found = self._influx.query(
            f"SELECT {fields} FROM {self._from} WHERE time >= {start_ns} AND time < {end_ns} "  # noqa: S608 - quoted
            f'GROUP BY "{self._key}"'
        )
        return {
            str(series["tags"][self._key]): sum(int(count or 0) for count in series["values"][0][1:])
            for series in found
        }

    def close(self) -> None:
        """Lets go of the connection."""
        self._influx.close()

    def _where(self, path: str, start_ns: int, end_ns: int) -> str:
        return f'"{self._key}" = {quoted(path)} AND time >= {start_ns} AND time < {end_ns}'


def _samples(tag: Tag, rows: list[list[Any]], *, more: bool) -> Samples:
    t = np.array([row[0] for row in rows], np.int64)
    status = np.array([_status(row[1], row[2]) for row in rows], np.uint32)
    if tag.type == STRING:
        texts = tuple(str(row[1] or "") for row in rows)
        return Samples(t, np.zeros(len(t), np.uint64), status, more, STRING, texts)
    bits = np.array(
        [0 if row[1] is None else to_bits(tag.type, _value(tag, row[1])) for row in rows], np.uint64
    )
    return Samples(t, bits, status, more, tag.type)


def _status(value: Any, quality: Any) -> int:
    if quality is not None:
        return int(quality)
    return 0 if value is not None else 0x8000_0000


def _value(tag: Tag, value: Any) -> Any:
    return float(value) if tag.type in FLOATS else value


__all__ = ["FUNCTIONS", "RefusedError", "SinkReader"]
