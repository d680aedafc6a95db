"""InfluxDB 1.6.7 and VictoriaMetrics of Debian over HTTP: lines in requests of about 10,000, answers as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson

from bench.historian.day import MONTH_DAYS, MONTH_TAG, Day, Rows, floats
from bench.historian.store import HOUR_TAGS, Bench
from historian.sinks.lines import Encoder
from tags.model import Sink
from tags.types import FLOAT64
from tests.sinks.databases import Database

_REQUEST = 10_000
_SLOWEST_S = 120
_SETTLES_S, _LOOK_S = 60, 6


class Server(Bench):
    """What both have in common."""

    command: ClassVar[str]

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder)
        self._database = Database(folder / self.command, self.command)
        self._http = http.client.HTTPConnection("127.0.0.1", self._database.port, timeout=_SLOWEST_S)
        sink = Sink(
            name="db",
            type="influxdb",
            url="",
            api="v1",
            org="",
            bucket="bench",
            measurement="m",
            keys={"id": "path"},
            quality="exceptions",
        )
        tags = [dataclasses.replace(tag, type=FLOAT64) for tag in day.tags]
        self._encoder = Encoder(sink, tags, "bench")

    def append(self, rows: Rows) -> None:
        """See `Bench`."""
        plain = rows.copy()
        plain["bits"] = floats(rows, self.day.tags).view(np.uint64)
        for at in range(0, len(plain), _REQUEST):
            lines = self._encoder.samples(plain[at : at + _REQUEST])
            self._call("POST", "/write?db=bench&precision=ns", lines.body(0, len(lines)))

    def _call(self, verb: str, path: str, body: bytes | None = None) -> bytes:
        self._http.request(verb, path, body)
        answer = self._http.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise OSError(f"{self.name}: {answer.status} {data[:300]!r}")
        return data

    def _get(self, path: str, **query: Any) -> bytes:
        return self._call("GET", f"{path}?{urllib.parse.urlencode(query, doseq=True)}")

    def size(self) -> int:
        """See `Bench`; waits until what it does in the background is done, a minute at most."""
        found, before = self._files(), -1
        for _ in range(_SETTLES_S // _LOOK_S):
            time.sleep(_LOOK_S)
            found, before = self._files(), found
            if found == before:
                break
        return found

    def _files(self) -> int:
        found = 0
        for path in (self.folder / self.command).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                found += path.stat().st_size if path.is_file() else 0
        return found

    def processor_s(self) -> float:
        """See `Bench`."""
        return super().processor_s() + self._database.processor_s()

    def buckets(self, tag: int, count: int) -> int:
        """See `Bench`."""
        return self._parts(tag, self.day.start, self.day.seconds * 10**9, count)

    def month(self, count: int) -> int:
        """See `Bench`."""
        length = MONTH_DAYS * self.day.seconds * 10**9
        return self._parts(MONTH_TAG, self.day.start - length, length, count)

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        raise NotImplementedError

    def close(self) -> None:
        """See `Bench`."""
        self._http.close()
        self._database.stop()


class Influx(Server):
    """InfluxQL over `/query`."""

    name: ClassVar[str] = "InfluxDB 1.6.7"
    command: ClassVar[str] = "influxd"

    def __init__(self, day: Day, folder: Path) -> None:
        super().__init__(day, folder)
        self._call("POST", "/query?q=CREATE+DATABASE+bench")

    def settle(self) -> None:
        """Nothing can be asked for; it compacts when it likes."""

    def _ask(self, query: str, take: Callable[[list[Any]], int] = len) -> int:
        (found,) = orjson.loads(self._get("/query", db="bench", epoch="ns", q=query))["results"]
        if "error" in found:
            raise OSError(f"{self.name}: {found['error']}")
        return sum(take(series["values"]) for series in found.get("series", []))

    def raw(self, tag: int) -> int:
        """See `Bench`."""
        return self._ask(
            f"SELECT v, q FROM m WHERE id = 't{tag}' AND time >= {self.day.start} AND time < {self.day.end}"
        )

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        width = length // count
        return self._ask(
            f"SELECT min(v), max(v), mean(v) FROM m WHERE id = 't{tag}' AND time >= {start} AND time < {start + length} "
            f"GROUP BY time({width}ns, {start % width}ns) fill(none)"
        )

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        which = " OR ".join(f"id = 't{tag}'" for tag in range(1, HOUR_TAGS + 1))
        return self._ask(
            f"SELECT v, q FROM m WHERE ({which}) AND time >= {start} AND time < {start + self.hour_ns} GROUP BY id"
        )

    def hourly(self, tag: int) -> int:
        """See `Bench`."""
        width = self.hour_ns
        return self._ask(
            f"SELECT integral(v) / {width / 1e9} FROM m WHERE id = 't{tag}' AND time >= {self.day.start} "
            f"AND time < {self.day.start + 24 * width} GROUP BY time({width}ns, {self.day.start % width}ns)"
        )

    def latest(self) -> int:
        """See `Bench`."""
        return self._ask("SELECT last(v) FROM m GROUP BY id")


class Victoria(Server):
    """MetricsQL, without its cache of answers."""

    name: ClassVar[str] = "VictoriaMetrics"
    command: ClassVar[str] = "victoria-metrics"

    def settle(self) -> None:
        """See `Bench`."""
        self._get("/internal/force_flush")

    def _exported(self, which: str, start: int, end: int) -> int:
        lines = self._get(
            "/api/v1/export", **{"match[]": f"m_v{{{which}}}", "start": start / 1e9, "end": end / 1e9}
        ).splitlines()
        return sum(len(orjson.loads(line)["values"]) for line in lines)

    def raw(self, tag: int) -> int:
        """See `Bench`."""
        return self._exported(f'id="t{tag}"', self.day.start, self.day.end)

    def _range(self, query: str, start: int, width: int, count: int) -> int:
        """Each answer is of the time before its stamp."""
        found = orjson.loads(
            self._get(
                "/api/v1/query_range",
                query=query,
                start=(start + width) / 1e9,
                end=(start + width * count) / 1e9,
                step=f"{width // 10**6}ms",
                nocache=1,
            )
        )
        return len(found["data"]["result"][0]["values"])

    def _parts(self, tag: int, start: int, length: int, count: int) -> int:
        width = length // count
        return self._range(f'rollup(m_v{{id="t{tag}"}}[{width // 10**6}ms])', start, width, count)

    def hour(self) -> int:
        """See `Bench`."""
        start = self.day.start + 5 * self.hour_ns
        which = "|".join(f"t{tag}" for tag in range(1, HOUR_TAGS + 1))
        return self._exported(f'id=~"{which}"', start, start + self.hour_ns)

    def hourly(self, tag: int) -> int:
        """See `Bench`."""
        width = self.hour_ns
        query = f'integrate(m_v{{id="t{tag}"}}[{width // 10**6}ms]) / {width / 1e9}'
        return self._range(query, self.day.start, width, 24)

    def latest(self) -> int:
        """See `Bench`."""
        span = f"{2 * self.day.seconds}s"
        found = self._get(
            "/api/v1/query", query=f"last_over_time(m_v[{span}])", time=self.day.end / 1e9, nocache=1
        )
        return len(orjson.loads(found)["data"]["result"])
