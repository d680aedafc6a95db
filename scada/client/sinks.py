"""Reading a database that history is forwarded to, by InfluxQL."""

from __future__ import annotations

from historian.sinks.reading import FUNCTIONS, RefusedError, SinkReader
from tags.model import Site

__all__ = ["FUNCTIONS", "RefusedError", "SinkReader", "open_sink"]


def open_sink(site: Site, name: str) -> SinkReader:
    """A reader of one of the site's sinks.

    Args:
        site: Of the plant: `Client.site`.
        name: Of the sink.

    Raises:
        KeyError: The site has no such sink.
        ValueError: It does not speak InfluxQL.
    """
    for sink in site.sinks:
        if sink.name == name:
            return SinkReader(sink)
    raise KeyError(f"{name}: the site {site.name!r} has no such sink")
