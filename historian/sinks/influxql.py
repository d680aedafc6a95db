"""Texts and times in InfluxQL, and which series a tag is."""

from __future__ import annotations

import datetime as dt

import orjson

from tags.model import Sink


def key_of(sink: Sink) -> str:
    """The tag key that holds the path."""
    return next(key for key, what in sink.keys.items() if what == "path")


def quoted(value: str) -> str:
    """A text in InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def double_quoted(value: str) -> str:
    """A text in double quotes, as predicates of InfluxDB 2 and selectors of VictoriaMetrics have it."""
    return orjson.dumps(value).decode()


def rfc3339(utc_ns: int) -> str:
    """A time as RFC 3339 has it, exact."""
    seconds, ns = divmod(utc_ns, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"
