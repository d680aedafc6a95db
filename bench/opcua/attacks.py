"""The demo plant under each attack (`attackers`): what it costs the others. `python -m bench.opcua.attacks [NAME …]`.

A judge reads ten values every 20 ms, an operator signs in again and again over an encrypted channel, control scans:
each attack has to leave all three alone, and the server's memory has to come back.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from asyncua import ua

from bench.harness import Results, end_in_order
from bench.opcua.attackers import ATTACKS
from scada.client import Client
from tests.e2e.plant import DemoPlant
from tests.support.opcua_client import with_certificate

CALM_S: Final = 3.0  # before an attack: also a sign-in takes memory, and control is late by something
QUIET_S: Final = 6.0  # after an attack, before memory is looked at
MEMORY_MB: Final = 64.0
P99_MS: Final = 100.0
MAX_MS: Final = 1000.0
NEWCOMER_S: Final = 1.0


@dataclass
class Outcome:
    """What an attack cost the others.

    Attributes:
        name: Of the attack.
        found: What the attacker counted.
        reads_ms: How long each of the judge's reads took.
        newcomers_s: How long each sign-in of an operator took; infinite for one that failed.
        before_mb: The highest resident memory of the server before, while somebody signed in.
        peak_mb: The highest meanwhile.
        after_mb: A while after.
        late_before_ms: The latest start of a scan of control in a second, before.
        late_ms: The same, meanwhile.
        calm_p99_ms: Of the judge's reads, before.
        calm_newcomer_s: The longest sign-in, before.
    """

    name: str
    found: dict[str, int] = field(default_factory=dict)
    reads_ms: list[float] = field(default_factory=list)
    newcomers_s: list[float] = field(default_factory=list)
    before_mb: float = 0.0
    peak_mb: float = 0.0
    after_mb: float = 0.0
    late_before_ms: float = 0.0
    late_ms: float = 0.0
    calm_p99_ms: float = 0.0
    calm_newcomer_s: float = 0.0

    def p99_ms(self) -> float:
        """Of the judge's reads."""
        ordered = sorted(self.reads_ms)
        return ordered[int(len(ordered) * 0.99)] if ordered else float("inf")

    def line(self) -> str:
        """For people."""
        return (
            f"{self.name:15} reads p99 {self.calm_p99_ms:6.1f} -> {self.p99_ms():7.1f} max {max(self.reads_ms, default=-1):7.1f} ms  "
            f"newcomer max {max(self.newcomers_s, default=-1):5.2f} s  "
            f"memory {self.before_mb:5.0f} +{self.peak_mb - self.before_mb:3.0f} -> "
            f"{self.after_mb - self.before_mb:+4.0f} MB  "
            f"control late {self.late_before_ms:5.2f} -> {self.late_ms:5.2f} ms  {self.found}"
        )


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Stage:
    """A running demo with its judge, its operators and its control.

    Args:
        plant: Running.
        folder: Takes files of clients.
    """

    def __init__(self, plant: DemoPlant, folder: Path) -> None:
        self.plant = plant
        self.folder = folder
        self.port = plant.ports + 1
        self.judging = asyncio.Event()
        self.pid = plant.pid("opcua")
        self.door: Client = plant.client()
        paths = [tag.path for tag in self.door.tag_list if not tag.path.startswith("system/")]
        self.nodes = [ua.NodeId(path, 2) for path in paths[:10]]
        self.late = next(
            path for path in self.door.index if path.startswith("system/control") and "late" in path
        )

    async def attack(
        self, name: str, scale: float, calm_s: float = CALM_S, quiet_s: float = QUIET_S
    ) -> Outcome:
        """Runs one attack and looks on.

        Args:
            name: Of the attack.
            scale: How much of it.
            calm_s: So long the others are looked at before.
            quiet_s: After it, until memory is looked at.
        """
        calm, over = Outcome(name), asyncio.Event()
        watchers = self._watchers(calm, over)
        await self.judging.wait()
        await asyncio.sleep(calm_s)
        over.set()
        await asyncio.gather(*watchers)
        its, over = Outcome(name), asyncio.Event()
        its.before_mb, its.late_before_ms = calm.peak_mb, calm.late_ms
        its.calm_p99_ms, its.calm_newcomer_s = calm.p99_ms(), max(calm.newcomers_s)
        watchers = self._watchers(its, over)
        await self.judging.wait()
        command = [
            sys.executable,
            "-m",
            "bench.opcua.attackers",
            name,
            str(self.port),
            str(scale),
            str(self.folder),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, str(self.nodes[0].Identifier), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, problems = await process.communicate()
        its.found = json.loads(out) if out else {problems.decode()[-300:]: 0}
        await asyncio.sleep(0.5)
        over.set()
        await asyncio.gather(*watchers)
        await asyncio.sleep(quiet_s)
        its.after_mb = memory_mb(self.pid)
        return its

    def _watchers(self, its: Outcome, over: asyncio.Event) -> list[asyncio.Task[None]]:
        self.judging = asyncio.Event()
        return [asyncio.create_task(what(its, over)) for what in (self._judge, self._operators, self._watch)]

    async def _judge(self, its: Outcome, over: asyncio.Event) -> None:
        paths = [str(node.Identifier) for node in self.nodes]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.opcua.judge", str(self.port), *paths,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        await process.stdout.readline()
        self.judging.set()
        await over.wait()
        out, _ = await process.communicate(b"")
        its.reads_ms = json.loads(out) if out else [float("inf")]

    async def _operators(self, its: Outcome, over: asyncio.Event) -> None:
        while not over.is_set():
            client = await with_certificate(
                f"opc.tcp://127.0.0.1:{self.port}", self.folder, self.plant.data.certs
            )
            client.set_user("operator")
            client.set_password(self.plant.password)
            began = time.perf_counter()
            try:
                await asyncio.wait_for(client.connect(), 10)
                its.newcomers_s.append(time.perf_counter() - began)
                await asyncio.wait_for(client.disconnect(), 10)
            except Exception as error:  # noqa: BLE001 - whatever it is, it counts
                logging.getLogger("bench").warning("%s: an operator could not sign in: %r", its.name, error)
                its.newcomers_s.append(float("inf"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1.0)

    async def _watch(self, its: Outcome, over: asyncio.Event) -> None:
        while not over.is_set():
            its.peak_mb = max(its.peak_mb, memory_mb(self.pid))
            its.late_ms = max(its.late_ms, self._late_ms())
            await asyncio.sleep(0.05)

    def _late_ms(self) -> float:
        self.door.refresh()
        value: Any = self.door.read(self.late).value
        return float(value)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A demo of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-attacks-") as name:
        (Path(name) / "plant").mkdir()
        plant = DemoPlant(Path(name) / "plant")
        try:
            yield Stage(plant, Path(name))
        finally:
            plant.close()


def run(names: list[str], scale: float) -> list[Outcome]:
    """Each attack on one and the same running demo."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with stage() as its:

        async def all_of_them() -> list[Outcome]:
            found = []
            for name in names:
                found.append(await its.attack(name, scale))
                print(found[-1].line(), flush=True)
            return found

        return asyncio.run(all_of_them())


def measure(results: Results) -> None:
    """Rows of the room's table."""
    for its in run(list(ATTACKS), 1.0):
        what = ATTACKS[its.name][1]
        results.add(
            f"under attack: {what}: reads of another client, p99", its.p99_ms(), "ms", f"<= {P99_MS:g}"
        )
        results.add("… longest", max(its.reads_ms), "ms", f"<= {MAX_MS:g}")
        results.add("… a new client signs in within", max(its.newcomers_s), "s", f"<= {NEWCOMER_S:g}")
        results.add("… memory grows by", its.peak_mb - its.before_mb, "MB", f"<= {MEMORY_MB:g}")
        results.add("… and is back to", its.after_mb - its.before_mb, "MB", "")
        results.add(
            "… scans of control start late by at most", its.late_ms, "ms", "", "before", its.late_before_ms
        )


def main() -> None:
    """Prints a line for each."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ATTACKS)}; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each attack")
    given = parser.parse_args()
    end_in_order()
    run(given.names or list(ATTACKS), given.scale)


if __name__ == "__main__":
    main()
