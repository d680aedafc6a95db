"""The one place that knows `influxdb-client`: its synchronous write, given our own bytes, its buckets and its connections.

Questions are InfluxQL on `/query`, which InfluxDB 1, 2 and 3 all answer; never Flux, which InfluxDB 3 has not. Its batching mode keeps what waits in memory and drops what the server refuses, and its `Point` costs ten times our lines.
InfluxDB before 1.8 has `/write` only: the client's call is given that path. Secrets go into a header, never into an address
or a message; they are read again after the server has refused them, so that a token can be renewed in its file.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tags.model import Secret, Sink

NS: Final = "ns"
_TEXT_MAX: Final = 300
_DROPPED: Final = re.compile(r"\bdropped=(\d{1,9})\b")  # InfluxDB 1 and 2: partial write: … dropped=5
_UNKNOWN: Final = (401, 403)
_ABSENT: Final = 404
_FORM: Final = "application/x-www-form-urlencoded"


class Reply(NamedTuple):
    """What a server answered.

    Attributes:
        status: Of HTTP; 0 for no answer.
        text: What it said, short; "" when it took the rows.
        retry_after_s: It asked to wait so long, s; 0 when it did not.
        dropped: How many rows it says that it did not take.
    """

    status: int
    text: str = ""
    retry_after_s: float = 0.0
    dropped: int = 0


class RefusedError(Exception):
    """A question that the server did not answer; the message says why.

    Attributes:
        status: Of HTTP; 0 for no answer, 200 when the answer itself was an error.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


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
            text = _said(error)
            dropped = _DROPPED.search(text)
            return Reply(int(error.status or 0), text, _asked(error), int(dropped[1]) if dropped else 0)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.close()
            return Reply(0, _short(f"{type(error).__name__}: {error}"))
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
            raise RefusedError(200, _short(str(said)))
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
            raise RefusedError(int(error.status or 0), _said(error)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise RefusedError(0, _short(f"{type(error).__name__}: {error}")) from None
        return done.data.encode() if isinstance(done.data, str) else bytes(done.data or b"")

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
            return _said(error)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RefusedError) as error:
            return _short(
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


def read(secret: Secret) -> str:
    """A secret, from where it is kept.

    Raises:
        ValueError: It is not there, or others can read it; the message names the place, never the secret.
    """
    if secret.env:
        found = os.environ.get(secret.env, "")
        if not found:
            raise ValueError(f"the environment variable {secret.env} is not set")
        return found
    path = Path(secret.file)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise ValueError(f"{path} can be read by everybody: chmod o= it")
        first = path.read_text().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not first:
        raise ValueError(f"{path} is empty")
    return first


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


def _said(error: ApiException) -> str:
    body = error.body or ""
    try:
        found = orjson.loads(body)
        body = str(found.get("message") or found.get("error") or body)
    except (orjson.JSONDecodeError, AttributeError):
        pass
    return _short(f"HTTP {error.status}: {body or error.reason}" if error.status else str(error.reason))


def _short(text: str) -> str:
    return " ".join(text.split())[:_TEXT_MAX]


def _asked(error: ApiException) -> float:
    """`Retry-After` in seconds; a date is not looked at."""
    headers: Any = error.headers or {}
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
