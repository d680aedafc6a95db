"""The running demo: how soon it is there and back, what it costs, how old a value is that people see.

Run as `python -m bench.demo`. What it starts may keep compiled bytecode, as on a user's machine: PYTHONDONTWRITEBYTECODE is
taken out of the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from asyncua import Client as OpcuaClient
from websockets.sync.client import connect

from bench.check import generate
from bench.harness import Results
from scada.client import Client
from scada.datadir import DataDir
from tests.e2e.plant import SCADA, SERVICES, DemoPlant
from tests.field.plc import Plc
from tests.support.ports import free_ports
from tests.support.wait import wait_for

SETTLE_S: Final = 15.0
CPU_S: Final = 30.0
REGISTERS: Final = 4
CHANGES: Final = 400
TICKS: Final = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Runs all and writes bench/results/demo.json."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        print("PYTHONDONTWRITEBYTECODE is set here; it is unset for what this starts.", flush=True)
    results = Results("demo")
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as name:
        folder = Path(name)
        checking(results, folder)
        with DemoPlant(folder) as plant:
            starting(results, plant)
            with plant.client() as client:
                cost(results, plant)
                for service in SERVICES:
                    killed(results, plant, client, service)
        seeing(results, folder)
    results.write()


def checking(results: Results, folder: Path) -> None:
    """`scada check` of a large site, as a user runs it."""
    generate(folder / "large")
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([*SCADA, "check", str(folder / "large")], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    results.add("scada check of 10,000 tags", statistics.median(times), "s", "<= 3")


def starting(results: Results, plant: DemoPlant) -> None:
    """Stops the plant and starts it again."""
    started = time.perf_counter()
    assert plant.stop() == 0
    results.add("Ctrl-C until everything has ended", time.perf_counter() - started, "s", "<= 5")
    started = time.perf_counter()
    plant.start()
    results.add("second start until it says that it is running", time.perf_counter() - started, "s")
    with plant.client() as client:
        wait_for(lambda: plant.all_good(client), 30, "every tag is Good")
    results.add("second start until every tag is Good", time.perf_counter() - started, "s", "<= 8")


def cost(results: Results, plant: DemoPlant) -> None:
    """Processor time and memory of all processes together, nobody looking."""
    pause = threading.Event()
    pause.wait(SETTLE_S)
    pids = {"supervisor": plant.process.pid} | {service: plant.pid(service) for service in SERVICES}
    before = {name: busy_s(pid) for name, pid in pids.items()}
    started = time.perf_counter()
    pause.wait(CPU_S)
    took = time.perf_counter() - started
    used = {name: (busy_s(pid) - before[name]) / took * 100 for name, pid in pids.items()}
    results.add("CPU of all processes over 30 s", sum(used.values()), "% of a core", "<= 10")
    for name, percent in used.items():
        results.add(f"  of it {name}", percent, "% of a core")
    memory = {name: pss_mb(pid) for name, pid in pids.items()}
    results.add("memory (PSS) of all processes", sum(memory.values()), "MB", "<= 450")
    for name, megabytes in memory.items():
        results.add(f"  of it {name}", megabytes, "MB")


def busy_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pss_mb(pid: int) -> float:
    """Proportional set size of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def killed(results: Results, plant: DemoPlant, client: Client, service: str) -> None:
    """Kills a service with -9; every tag of the plant must have been noticed and be Good again."""
    wait_for(lambda: plant.all_good(client), 30, "every tag is Good before a service is killed")
    started = time.perf_counter()
    os.kill(plant.pid(service), signal.SIGKILL)
    wait_for(lambda: not plant.all_good(client), 5, f"it is seen that {service} is gone")
    wait_for(lambda: plant.all_good(client), 30, f"every tag is Good after {service}")
    results.add(f"{service} killed: all tags right again", time.perf_counter() - started, "s", "<= 2")
    listening: dict[str, Callable[[], bool]] = {
        "hmi": lambda: answers(plant.hmi),
        "opcua": lambda: accepts(plant.ports + 1),
    }
    if service in listening:
        wait_for(listening[service], 30, f"{service} answers")
        results.add(f"{service} killed: it answers again", time.perf_counter() - started, "s")


def answers(url: str) -> bool:
    """The web server gives its page."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Seen:
    """When a value of each register was first seen; values count up, so a later one answers for an earlier."""

    def __init__(self) -> None:
        self.put: list[tuple[int, int, float]] = []
        self.arrived: list[list[tuple[int, float]]] = [[] for _ in range(REGISTERS)]

    def take(self, register: int, value: Any) -> None:
        """A value arrived now."""
        if value is not None:
            self.arrived[register].append((int(value), time.perf_counter()))

    def latencies_ms(self) -> list[float]:
        """For each change that was made; one that nobody saw is endless."""
        return [
            next((at - put for value, at in self.arrived[register] if value >= wanted), float("inf")) * 1000
            for register, wanted, put in self.put
        ]


SITE: Final = """\
site: bench
timezone: UTC
opcua: {{endpoint: "opc.tcp://127.0.0.1:{opcua}", unencrypted: loopback}}
hmi: {{host: 127.0.0.1, port: {hmi}}}
devices:
  PLC1: {{driver: modbus, endpoint: "tcp://127.0.0.1:{plc}", unit_id: 1}}
tags:
"""
TAG: Final = "  line/X-{n}: {{device: PLC1, address: holding/{n}, type: int16, scan: 100 ms}}\n"


def seeing(results: Results, folder: Path) -> None:
    """A register changes inside a PLC that is asked every 100 ms: when does a subscriber know, when a browser?"""
    site = folder / "line"
    site.mkdir()
    port = free_ports(2)
    plc = Plc()
    text = SITE.format(opcua=port + 1, hmi=port, plc=plc.port)
    (site / "site.yaml").write_text(text + "".join(TAG.format(n=n) for n in range(REGISTERS)))
    data = DataDir(folder / "line-data")
    process = subprocess.Popen(
        [*SCADA, "run", str(site), "--data", str(data.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        while "is running" not in line:
            assert line, "scada run ended"
            line = process.stdout.readline()
        subscriber, browser = asyncio.run(watch(plc, port))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        plc.close()
        shutil.rmtree(data.run.resolve(), ignore_errors=True)  # files in memory
    for name, seen in (("an OPC UA subscriber", subscriber), ("a browser's socket", browser)):
        times = np.array(seen.latencies_ms())
        results.add(f"register to {name}, p50", float(np.percentile(times, 50)), "ms")
        results.add(
            f"register to {name}, p99 of {len(times)}", float(np.percentile(times, 99)), "ms", "<= 400"
        )


async def watch(plc: Plc, port: int) -> tuple[Seen, Seen]:
    """Changes registers at odd moments while a subscriber and a browser's socket look on."""
    subscriber, browser = Seen(), Seen()
    stop = threading.Event()

    class Handler:
        def datachange_notification(self, node: Any, value: Any, _: Any) -> None:
            subscriber.take(int(node.nodeid.Identifier[-1]), value)

    def read() -> None:
        with connect(f"ws://127.0.0.1:{port}/ws") as page:
            page.send(json.dumps({"tags": [f"line/X-{n}" for n in range(REGISTERS)]}))
            while not stop.is_set():
                for path, row in json.loads(page.recv(timeout=5)).get("changes", {}).items():
                    browser.take(int(path[-1]), row[0])

    thread = threading.Thread(target=read)
    rng = np.random.default_rng(11)
    async with OpcuaClient(f"opc.tcp://127.0.0.1:{port + 1}") as client:
        subscription = await client.create_subscription(100, Handler())
        await subscription.subscribe_data_change(
            [client.get_node(f"ns=2;s=line/X-{n}") for n in range(REGISTERS)]
        )
        thread.start()
        await asyncio.sleep(2)
        for turn in range(CHANGES):
            register, value = turn % REGISTERS, turn + 1
            plc.set("holding", register, value)
            now = time.perf_counter()
            subscriber.put.append((register, value, now))
            browser.put.append((register, value, now))
            await asyncio.sleep(rng.uniform(0.06, 0.14))
        await asyncio.sleep(1)
        await subscription.delete()
    stop.set()
    thread.join()
    assert all(np.isfinite([*subscriber.latencies_ms(), *browser.latencies_ms()])), "somebody saw no values"
    return subscriber, browser


if __name__ == "__main__":
    main()
