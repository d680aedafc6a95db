"""The demo's plant under `scada run`, its PLCs under `scada simulate`: two lives that do not hang on each other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scada.client import Client, NotRunning
from scada.datadir import DataDir
from scada.simulate import inject
from tests.safety.witness import Witness
from tests.support.ports import free_ports
from tests.support.wait import wait_for

DEMO = Path(__file__).parents[2] / "config" / "demo"
SCADA = [sys.executable, "-m", "scada"]
LOSS_DELAY_S = 1.0
NOTICE_S = 1.0 + 0.2  # field calls control dead after 1 s of its own ticks
WATCHDOG_S = 5.0  # of the simulated PLCs
VALVE = "tank1/LV-101/OUT"
PUMPS = ("tank1/P-101", "tank1/P-102")
CONTROLLER = "tank1/LIC-101"


def site(folder: Path, port: int) -> Path:
    """The demo without pages, with short loss times, its PLCs on other ports."""
    target = folder / "site"
    shutil.copytree(DEMO, target)

    def change(name: str, *pairs: tuple[str, str]) -> None:
        file = target / name
        text = file.read_text()
        for old, new in pairs:
            assert old in text, f"{name} has no {old!r} any more"
            text = text.replace(old, new)
        file.write_text(text)

    change("site.yaml", ("\nscan: 100 ms", "\nservices: [control, field]\nscan: 100 ms"))
    change("devices.yaml", *((f":{5020 + n}", f":{port + n}") for n in range(3)))
    change(
        "tags/water.yaml",
        ("on_loss: {hold: 30 s, then: 0 %}", f"on_loss: {{hold: {LOSS_DELAY_S:g} s, then: 0 %}}"),
    )
    change(
        "control/water.yaml",
        ("on_bad_pv: {hold: 30 s, then: manual}", "on_bad_pv: {hold: 1 s, then: manual}"),
    )
    return target


class Rig:
    """Both lives.

    Attributes:
        data: Data directory of the plant.
        witness: Of PLC1.
        armed_at: When it was armed first, monotonic s.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_ports(3)
        self.site = site(folder, self.port)
        self.data, self._plcs = DataDir(folder / "data"), DataDir(folder / "plcs")
        self._log = (folder / "output.txt").open("wb")
        self._simulate = self._start("simulate", self._plcs)
        self.process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None
        self.witness = Witness(self.port)

    def __enter__(self) -> Self:
        try:
            self.witness.__enter__()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- lives ---

    def _start(self, verb: str, data: DataDir) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*SCADA, verb, str(self.site), "--data", str(data.root)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def start(self) -> None:
        """Starts the plant (again) and waits until all of PLC1 is Good."""
        self.process = self._start("run", self.data)
        wait_for(self._open, 30, "the plant runs")
        self.wait_good()

    def _open(self) -> bool:
        try:
            self._client = Client(self.data.root, source="script", user="test", role="engineer")
        except NotRunning:
            return False
        return True

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def wait_good(self, timeout_s: float = 20.0) -> None:
        """Until every tag of the water station is Good."""
        paths = [tag.path for tag in self.client.site.tags if tag.path.startswith("tank1/")]

        def good() -> bool:
            self.client.refresh()
            return all(self.client.read(path).good for path in paths)

        wait_for(good, timeout_s, "all of tank 1 is Good")

    def value(self, path: str) -> Any:
        self.client.refresh()
        return self.client.read(path).value

    def until(self, path: str, value: Any, timeout_s: float = 10.0) -> None:
        wait_for(lambda: self.value(path) == value, timeout_s, f"{path} == {value}; it is {self.value(path)}")

    def scada(self, *words: str) -> str:
        """Runs a verb on this plant."""
        command = [*SCADA, *words, "--data", str(self.data.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def arm(self) -> None:
        for device in ("PLC1", "PLC2", "PLC3"):
            self.scada("outputs", "arm", device, "--reason", "test")
        self.until("system/PLC1/armed", True)

    def write(self, path: str, value: Any) -> None:
        outcome = self.client.write(path, value)
        assert outcome.status == "confirmed", outcome

    def inject(self, **message: Any) -> None:
        """A fault or a knob of PLC1."""
        said = inject(self._plcs, {"device": "PLC1", **message})
        assert said.get("ok"), said

    def pid(self, service: str) -> int:
        """Process number of a service: its command line names it."""
        found = self._find(service)
        assert found, f"no process of {service}"
        return found

    def _find(self, service: str) -> int:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            ours = str(self.data.root).encode() in words and b"--name" in words and state != "Z"
            if ours and words[words.index(b"--name") + 1].decode() == service:
                return int(folder.name)
        return 0

    def send(self, service: str, number: signal.Signals) -> float:
        """Sends a signal to a service, or to the `supervisor`; returns when, monotonic s."""
        assert self.process is not None
        pid = self.process.pid if service == "supervisor" else self.pid(service)
        at = time.monotonic()
        os.kill(pid, number)
        return at

    def restarted(self, service: str, before: int) -> None:
        """Waits for another process of a service."""
        wait_for(lambda: self._find(service) not in (0, before), 20, f"{service} was started again")

    def stop(self) -> None:
        """A planned stop."""
        assert self.process is not None
        if self._client is not None:
            self._client.close()
            self._client = None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0

    def kill(self) -> float:
        """Kills all of the plant but its PLCs, as a loss of power of this machine does."""
        assert self.process is not None
        if self._client is not None:
            self._client.close()
            self._client = None
        at = time.monotonic()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        wait_for(lambda: not any(self._find(name) for name in ("control", "field")), 10, "all are dead")
        return at

    def close(self) -> None:
        """Ends both, in whatever state they are."""
        self.witness.__exit__(None, None, None)
        if self._client is not None:
            self._client.close()
        for process in (self.process, self._simulate):
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        self._log.close()
        for data in (self.data, self._plcs):
            shutil.rmtree(data.run.resolve(), ignore_errors=True)


def pause_until(at: float) -> None:
    """Waits for a moment at which nothing announces itself: kills are not aimed at anything."""
    wait_for(lambda: time.monotonic() >= at, 60)


Round = Callable[[Rig, Any], float]
Rounds = Sequence[tuple[str, Round]]
