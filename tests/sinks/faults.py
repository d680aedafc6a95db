"""A server that speaks enough of InfluxDB's HTTP to be wrong in every way: refusing, too small, slow, cut off, renewed."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWERS = {
    400: "partial write: field type conflict",
    401: "unauthorized",
    404: "database not found",
    413: "too large",
}


class FaultServer:
    """Takes lines, with faults.

    Attributes:
        lines: Taken, in their order; without marks.
        marks: Taken: what the service writes to notice a database that lost what it had.
        answers: Given to the next writes before anything else: a status, `reset` or `slow`.
        poison: Lines that hold one of these are refused, and nothing of their request is taken.
        largest: Requests with more lines are too large.
        requests: Path and Authorization of each request.
        query_status: Answer to questions.
        queries: Bodies of `/query`, `/api/v2/buckets` and `/api/v2/delete`.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.lines: list[str] = []
        self.marks: list[str] = []
        self.answers: list[int | str] = []
        self.poison: list[str] = []
        self.largest = 10**9
        self.requests: list[tuple[str, str | None]] = []
        self.queries: list[str] = []
        self.query_status = 200
        self.release = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                owner.requests.append((self.path, self.headers.get("Authorization")))
                if self.path.startswith("/api/v2/buckets"):
                    owner.queries.append(body)
                    self.answer(
                        201,
                        b'{"id":"0000000000000002","name":"plant","orgID":"0000000000000001","retentionRules":[]}',
                    )
                    return
                if self.path.startswith("/api/v2/delete"):
                    owner.queries.append(body)
                    self.answer(204 if owner.query_status == 200 else owner.query_status, b"")
                    return
                if self.path.startswith("/query"):
                    owner.queries.append(body)
                    self.answer(owner.query_status, b'{"results":[{}]}')
                    return
                answer = owner.decide(body.splitlines())
                if answer == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                elif answer == "slow":
                    owner.release.wait(20)
                    self.close_connection = True
                else:
                    text = ANSWERS.get(int(answer), "")
                    self.answer(int(answer), f'{{"error":"{text}"}}'.encode() if text else b"")

            def do_GET(self) -> None:  # the newest mark; organisations, by their name
                owner.requests.append((self.path, self.headers.get("Authorization")))
                if self.path.startswith("/query"):
                    self.answer(owner.query_status, json.dumps(owner.newest()).encode())
                    return
                self.answer(200, b'{"orgs":[{"id":"0000000000000001","name":"works"}]}')

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status == 429:
                    self.send_header("Retry-After", "7")
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._http.server_port}"

    def newest(self) -> dict[str, Any]:
        """The answer of InfluxDB 1 about the newest mark."""
        if not self.marks:
            return {"results": [{"statement_id": 0}]}
        at = int(self.marks[-1].partition("at=")[2].partition("i")[0])
        series = {"name": "forward_small", "columns": ["time", "last"], "values": [[at, at]]}
        return {"results": [{"statement_id": 0, "series": [series]}]}

    def wipe(self) -> None:
        """Forgets everything."""
        self.lines.clear()
        self.marks.clear()

    def decide(self, lines: list[str]) -> int | str:
        if self.answers:
            return self.answers.pop(0)
        if len(lines) > self.largest:
            return 413
        if any(word in line for word in self.poison for line in lines):
            return 400
        (self.marks if lines[0].startswith("forward_") else self.lines).extend(lines)
        return 204

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class Proxy(FaultServer):
    """Stands before a real InfluxDB, and now and then answers in its place.

    Args:
        url: Of the database.
        troubles: Answers, one in five requests; `slow` and `reset` are given after the database took the request.
    """

    def __init__(self, url: str, troubles: list[int | str]) -> None:
        super().__init__()
        self._behind = url
        self.troubles = troubles
        self._seen = 0
        self._lock = threading.Lock()

    def decide(self, lines: list[str]) -> int | str:
        with self._lock:
            self._seen += 1
            trouble = self.troubles.pop(0) if self.troubles and self._seen % 5 == 0 else None
        if trouble is not None and not isinstance(trouble, str):
            return trouble
        body = "\n".join(lines).encode()
        request = urllib.request.Request(f"{self._behind}/write?db=plant&precision=ns", body)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return trouble or int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
