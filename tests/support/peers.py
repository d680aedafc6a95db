"""Third-party clients from npm, installed on first use with the Node of the Python wheel."""

from __future__ import annotations

import base64
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scada.opcua.security.store import Store

FOLDER = Path(__file__).parent.parent / "peers"
BIN = Path(sys.executable).parent


def install() -> None:
    """`npm ci` in tests/peers, unless it was done for this lock file; one test process at a time."""
    with (FOLDER / "package-lock.json").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _install()


def _install() -> None:
    stamp = FOLDER / "node_modules" / ".installed"
    lock = (FOLDER / "package-lock.json").read_text()
    if stamp.exists() and stamp.read_text() == lock:
        return
    done = subprocess.run(
        [str(BIN / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=FOLDER, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"npm ci in {FOLDER} failed:\n{done.stderr}"
    stamp.write_text(lock)


class NodeOpcua:
    """A node-opcua client in its own process: watches tags and writes what it is told."""

    def __init__(
        self,
        url: str,
        folder: Path,
        paths: list[str],
        user: str = "",
        password: str = "",
        certs: Path | None = None,
    ) -> None:
        install()
        self._process = subprocess.Popen(
            [str(BIN / "node"), "write_and_watch.mjs", url, str(folder), user, password, *paths],
            cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._lines = self._read()
        try:
            if user:
                certificate = base64.b64decode(self.until("certificate")["certificate"])
                if certs is not None:
                    Store(certs).put("trusted", certificate)
                self._send({})
            self.until("ready")
        except BaseException:  # nobody else can: a constructor that fails has no __exit__
            self._process.kill()
            self._process.communicate()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(json.dumps({"done": True}) + "\n", timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def write(self, path: str, value: Any, type_: str = "Double") -> str:
        """Writes one tag; the name of the status that the server answered with."""
        self._send({"path": path, "value": value, "type": type_})
        return str(self.until("wrote")["name"])

    def change(self, path: str) -> dict[str, Any]:
        """The next change of a tag: `value`, `status`, `name`, `at` (UTC ms of arrival)."""
        while True:
            line = self.until("path")
            if line["path"] == path:
                return line

    def until(self, key: str) -> dict[str, Any]:
        """The next line that has this key."""
        for line in self._lines:
            if key in line:
                return line
        raise AssertionError(f"the client ended: {self._process.stderr and self._process.stderr.read()}")

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _read(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
