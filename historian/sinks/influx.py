"""The one place that knows `influxdb-client`: its synchronous write, given our own bytes, and nothing else of it.

Its batching mode keeps what waits in memory and drops what the server refuses, and its `Point` costs ten times our lines.
InfluxDB before 1.8 has `/write` only: the client's call is given that path. Secrets go into a header, never into an address
or a message; they are read again after the server has refused them, so that a token can be renewed in its file.
"""

from __future__ import annotations

import os
import re
import stat
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


class Influx:
    """InfluxDB 1, 2, 3 or VictoriaMetrics.

    Args:
        sink: Where and how.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._client: Any = None
        self._write: Any = None

    def post(self, body: bytes) -> Reply:
        """Sends lines; never raises for what the server or the network does."""
        try:
            self._connect().write(self._sink.bucket, self._sink.org or "-", body, write_precision=NS)
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

    def create(self) -> str:
        """Makes the bucket or database; returns what went wrong, or ""."""
        try:
            self._connect()
            if self._sink.type != "influxdb":
                return "it makes no databases"
            if self._sink.api == "v2":
                try:
                    self._create_bucket()
                except ApiException as error:
                    if error.status != 404:
                        raise
                else:
                    return ""
            return self._create_database()
        except ApiException as error:
            return _said(error)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _short(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Lets go of the connection; the next request makes a new one and reads the secrets again."""
        if self._client is not None:
            self._client.close()
        self._client = self._write = None

    def _connect(self) -> Any:
        if self._write is None:
            token, basic = self._login()
            make: Any = InfluxDBClient  # its annotations leave out what it takes
            self._client = make(
                self._sink.url,
                token=token,
                org=self._sink.org or "-",
                timeout=self._sink.timeout_ns // 1_000_000,
                ssl_ca_cert=self._sink.ca or None,
                auth_basic=basic,
                connection_pool_maxsize=1,
            )
            if self._sink.api == "v1":
                _use_old_path(self._client, self._sink.bucket)
            self._write = self._client.write_api(write_options=SYNCHRONOUS)
        return self._write

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
        self._client.buckets_api().create_bucket(
            bucket_name=self._sink.bucket, retention_rules=rules, org=self._sink.org
        )

    def _create_database(self) -> str:
        api: Any = self._client.api_client
        query = f'CREATE DATABASE "{self._sink.bucket}"'
        if self._sink.retention_ns:
            query += f" WITH DURATION {self._sink.retention_ns // 1_000_000_000}s"
        headers = {"Content-Type": "application/x-www-form-urlencoded", **api.default_headers}
        done = api.rest_client.POST(f"{self._sink.url}/query", headers=headers, post_params={"q": query})
        found = orjson.loads(done.data or b"{}")
        results = found.get("results") or [{}]
        return _short(str(found.get("error") or results[0].get("error") or ""))


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


def _use_old_path(client: Any, database: str) -> None:
    """Sends writes to `/write?db=…`, as InfluxDB before 1.8 has it."""
    api: Any = client.api_client
    call = api.call_api

    def call_api(path: str, method: str, *rest: Any, **options: Any) -> Any:
        if path == "/api/v2/write" and len(rest) >= 2:
            query = [("db", database), ("precision", NS)]
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
