"""`scada demo` as a user starts it, with free ports and a data directory of its own."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from scada.client import Client
from scada.datadir import DataDir
from tests.support import standard_nodes
from tests.support.ports import free_ports
from tests.support.wait import wait_for

SCADA = [sys.executable, "-m", "scada"]
SERVICES = ("historian", "field", "control", "opcua", "hmi", "simulate")


class DemoPlant:
    """A running demo plant.

    Attributes:
        data: Its data directory.
        hmi: Address of the HMI.
        opcua: Address of the OPC UA server.
        password: Of the user `operator`.
        output: What it printed so far.
    """

    def __init__(self, folder: Path, *, wait: bool = True) -> None:
        self.data = DataDir(folder / "data")
        self.log = folder / "output.txt"
        self.ports = free_ports(8)
        self.hmi = f"http://127.0.0.1:{self.ports}"
        self.opcua = f"opc.tcp://127.0.0.1:{self.ports + 1}"
        self.password = ""
        standard_nodes.lend(folder.parent, self.data)
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        """Starts it (again) with the same ports and data directory."""
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [*SCADA, "demo", "--data", str(self.data.root), "--hmi-port", str(self.ports),
                 "--opcua-port", str(self.ports + 1), "--plc-port", str(self.ports + 2)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Until it says that it is running."""

        def running() -> bool:
            assert self.process.poll() is None, (
                f"scada demo ended with {self.process.returncode}:\n{self.output}"
            )
            return "is running" in self.output and "sign in" in self.output

        try:
            wait_for(running, timeout_s, f"the demo is running:\n{self.output}")
        except BaseException:
            self.close()  # nobody else can: a constructor that fails has no __exit__
            raise
        found = re.search(r"operator / (\S+)", self.output)
        assert found is not None
        self.password = found[1]

    @property
    def output(self) -> str:
        return self.log.read_text()

    def client(self, role: str = "operator") -> Client:
        """The door that scripts use."""
        return Client(self.data.root, source="script", user="test", role=role)

    def scada(self, *words: str, code: int | None = 0) -> str:
        """Runs a verb against this plant and returns what it printed on stdout."""
        done = subprocess.run(
            [*SCADA, *words, "--data", str(self.data.root)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if code is not None:
            assert done.returncode == code, (
                f"scada {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout + (done.stderr if code else "")

    def json(self, *words: str) -> Any:
        """The JSON that a verb prints."""
        return orjson.loads(self.scada(*words, "--json"))

    def inject(self, device: str, what: str) -> None:
        """A fault or a panel action on a simulated PLC."""
        self.scada("inject", device, what)

    def pid(self, service: str) -> int:
        """Process number of a service: its command line names it."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.data.root).encode() in words and b"--name" in words:
                name = words[words.index(b"--name") + 1].decode()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if name == service and state != "Z":
                    return int(folder.name)
        raise AssertionError(f"no process of {service}")

    def all_good(self, client: Client) -> bool:
        """Every tag of the plant is Good."""
        client.refresh()
        return not self.not_good(client)

    def not_good(self, client: Client) -> list[str]:
        """Tags that are not Good, with their quality."""
        client.refresh()
        samples = [client.read(tag.path) for tag in client.site.tags]
        return [f"{sample.path} {sample.quality}" for sample in samples if not sample.good]

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        """Kills the supervisor; its services must follow."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends it whatever state it is in, and clears its files in memory."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.data.run.resolve(), ignore_errors=True)


def number(client: Client, path: str) -> float:
    """The value of a tag now."""
    client.refresh()
    value = client.read(path).value
    assert isinstance(value, int | float)
    return float(value)


def largest_step(client: Client, path: str, until: float) -> float:
    """The largest change between two looks at a tag, 20 ms apart, until a monotonic time."""
    seen = [number(client, path)]

    def look() -> bool:
        seen.append(number(client, path))
        return time.monotonic() > until

    wait_for(look, 60)
    return max(abs(after - before) for before, after in itertools.pairwise(seen))


def other_process(plant: DemoPlant, service: str, first: int) -> bool:
    """A service runs as another process than `first`."""
    try:
        return plant.pid(service) != first
    except AssertionError:
        return False
