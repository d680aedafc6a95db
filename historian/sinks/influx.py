"""The one place that knows `influxdb-client`: its synchronous write, given our own bytes, its buckets and its connections.

Questions are InfluxQL on `/query`, which InfluxDB 1, 2 and 3 all answer; never Flux, which InfluxDB 3 has not. Its batching mode keeps what waits in memory and drops what the server refuses, and its `Point` costs ten times our lines.
InfluxDB before 1.8 has `/write` only: the client's call is given that path. Secrets go into a header, never into an address
or a message; they are read again after the server has refused them, so that a token can be renewed in its file.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from historian.sinks.answers import RefusedError, Reply, reply_of, said, short
from historian.sinks.influxql import double_quoted, key_of, quoted, rfc3339
from historian.sinks.secret import read
from tags.model import Sink

NS: Final = "ns"
_UNKNOWN: Final = (401, 403)
_ABSENT: Final = 404
_FORM: Final = "application/x-www-form-urlencoded"


class Influx:
    """InfluxDB 1, 2, 3 or VictoriaMetrics; several threads may send at once.

    Args:
        sink: Where and how.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._client: Any = None
        self._write: Any = None
        self.database, _, self._policy = sink.bucket.partition("/")

    def post(self, body: bytes) -> Reply:
        """Sends lines; never raises for what the server or the network does."""
        try:
            write = self._connect()[1]
            write.write(self._sink.bucket, self._sink.org or "-", body, write_precision=NS)
        except ApiException as error:
            if error.status in _UNKNOWN:
                self.close()
            return reply_of(error)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.close()
            return Reply(0, short(f"{type(error).__name__}: {error}"))
        return Reply(204)

    def query(self, text: str, *, changes: bool = False) -> list[dict[str, Any]]:
        """Asks in InfluxQL; returns the series of the one statement, as InfluxDB gives them, times in ns.

        Args:
            text: The statement.
            changes: It changes something.

        Raises:
            RefusedError: No answer, or an error.
        """
        fields = {"q": text, "db": self.database, "epoch": NS}
        found = orjson.loads(self.ask("/query", fields, changes=changes) or b"{}")
        results = found.get("results") or [{}]
        said = found.get("error") or results[0].get("error")
        if said:
            raise RefusedError(200, short(str(said)))
        return list(results[0].get("series") or [])

    def ask(self, path: str, fields: dict[str, str], *, changes: bool = False) -> bytes:
        """The body of an answer to a GET, or a POST when it changes something.

        Raises:
            RefusedError: No answer, or an error.
        """
        try:
            api = self._connect()[0].api_client
            headers = {"Content-Type": _FORM, **api.default_headers}
            url = f"{self._sink.url}{path}"
            if changes:
                done = api.rest_client.POST(url, headers=headers, post_params=fields)
            else:
                done = api.rest_client.GET(url, headers=headers, query_params=list(fields.items()))
        except ApiException as error:
            raise RefusedError(int(error.status or 0), said(error)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise RefusedError(0, short(f"{type(error).__name__}: {error}")) from None
        return done.data.encode() if isinstance(done.data, str) else bytes(done.data or b"")

    def delete(self, path: str, start_ns: int, end_ns: int) -> None:
        """Deletes the samples of one tag from a time to another, both included.

        Args:
            path: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.

        Raises:
            RefusedError: No answer, or it deletes nothing.
        """
        key, name = key_of(self._sink), self._sink.measurement
        if self._sink.type != "influxdb":
            raise RefusedError(_ABSENT, "it deletes no single samples")
        if self._sink.api == "v2":
            try:
                self._connect()[0].delete_api().delete(
                    rfc3339(start_ns),
                    rfc3339(end_ns),
                    f'_measurement={double_quoted(name)} AND "{key}"={double_quoted(path)}',
                    self._sink.bucket,
                    self._sink.org or "-",
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise RefusedError(int(error.status or 0), said(error)) from None
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise RefusedError(0, short(f"{type(error).__name__}: {error}")) from None
            else:
                return
        where = f'"{key}" = {quoted(path)} AND time >= {start_ns} AND time <= {end_ns}'
        self.query(f'DELETE FROM "{name}" WHERE {where}', changes=True)  # noqa: S608 - quoted

    def create(self) -> str:
        """Makes the bucket or database and its retention; returns what went wrong, or ""."""
        try:
            if self._sink.type != "influxdb":
                return "it makes no databases"
            if self._sink.api == "v2":
                try:
                    self._create_bucket()
                except ApiException as error:
                    if error.status != _ABSENT:
                        raise
                else:
                    return ""
            self._create_database()
        except ApiException as error:
            return said(error)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RefusedError) as error:
            return short(
                f"{error}" if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
            )
        return ""

    def close(self) -> None:
        """Lets go of the connections; the next request makes new ones and reads the secrets again."""
        with self._lock:
            client, self._client, self._write = self._client, None, None
        if client is not None:
            client.close()

    def _connect(self) -> tuple[Any, Any]:
        """The client and its synchronous write."""
        with self._lock:
            if self._client is None:
                token, basic = self._login()
                make: Any = InfluxDBClient  # its annotations leave out what it takes
                self._client = make(
                    self._sink.url,
                    token=token,
                    org=self._sink.org or "-",
                    timeout=self._sink.timeout_ns // 1_000_000,
                    ssl_ca_cert=self._sink.ca or None,
                    auth_basic=basic,
                    connection_pool_maxsize=self._sink.parallel,
                )
                if self._sink.api == "v1":
                    _use_old_path(self._client, self.database, self._policy)
                self._write = self._client.write_api(write_options=SYNCHRONOUS)
            return self._client, self._write

    def _login(self) -> tuple[str | None, bool]:
        """Token, and whether it is for HTTP Basic."""
        if self._sink.token is not None:
            return read(self._sink.token), False
        if self._sink.password is not None:
            return f"{self._sink.user}:{read(self._sink.password)}", self._sink.api == "v1"
        return None, False

    def _create_bucket(self) -> None:
        rules = []
        if self._sink.retention_ns:
            rules = [{"type": "expire", "everySeconds": self._sink.retention_ns // 1_000_000_000}]
        self._connect()[0].buckets_api().create_bucket(
            bucket_name=self._sink.bucket, retention_rules=rules, org=self._sink.org
        )

    def _create_database(self) -> None:
        kept = f"{self._sink.retention_ns // 1_000_000_000}s" if self._sink.retention_ns else ""
        if not self._policy:
            self.query(
                f'CREATE DATABASE "{self.database}"' + (f" WITH DURATION {kept}" if kept else ""),
                changes=True,
            )
            return
        self.query(f'CREATE DATABASE "{self.database}"', changes=True)
        policy = f'"{self._policy}" ON "{self.database}" DURATION {kept or "INF"} REPLICATION 1'
        self.query(f"CREATE RETENTION POLICY {policy}", changes=True)


def _use_old_path(client: Any, database: str, policy: str) -> None:
    """Sends writes to `/write?db=…`, as InfluxDB before 1.8 has it."""
    api: Any = client.api_client
    call = api.call_api
    query = [("db", database), ("precision", NS)] + ([("rp", policy)] if policy else [])

    def call_api(path: str, method: str, *rest: Any, **options: Any) -> Any:
        if path == "/api/v2/write" and len(rest) >= 2:
            return call("/write", method, rest[0], query, *rest[2:], **options)
        return call(path, method, *rest, **options)

    api.call_api = call_api
