"""Debian's InfluxDB 1.6.7 and VictoriaMetrics as processes of a test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_ports
from tests.support.wait import wait_for

_INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
cache-max-memory-size = "2g"
"""


class Database:
    """A server that can be killed and started again over the same files.

    Args:
        folder: For its files.
        command: Its program.
    """

    def __init__(self, folder: Path, command: str) -> None:
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed: make databases")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        if command == "influxd":
            (folder / "conf").write_text(_INFLUX.format(folder=folder, port=self.port, rpc=self.port + 1))
            self._words = [command, "-config", str(folder / "conf")]
        else:
            self._words = [
                command, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{self.port}",
                "-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s",
            ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log)
        wait_for(self._answers, 30.0, f"{self._words[0]} to answer")

    def stop(self, number: int = signal.SIGKILL) -> None:
        self._process.send_signal(number)
        self._process.wait(20)

    def processor_s(self) -> float:
        """Processor time that it has used since it was started, s."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        try:
            self.get("/ping")
        except OSError:
            return False
        return True

    def get(self, path: str, data: bytes | None = None, **query: str) -> str:
        """The body of an answer; of a POST when there is data."""
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as answer:
            return str(answer.read().decode())

    def influxql(self, query: str, database: str = "plant") -> list[list[Any]]:
        """Rows of the first series of an InfluxQL query."""
        results = json.loads(self.get("/query", b"", db=database, q=query, epoch="ns"))["results"]
        assert "error" not in results[0], results
        return list(results[0].get("series", [{"values": []}])[0]["values"])

    def exported(self, name: str) -> dict[int, float]:
        """Samples of VictoriaMetrics by time, ms."""
        self.get("/internal/force_flush")
        found: dict[int, float] = {}
        for line in self.get(f"/api/v1/export?match[]={name}").splitlines():
            series = json.loads(line)
            found |= dict(zip(series["timestamps"], series["values"], strict=True))
        return found
