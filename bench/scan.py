"""The scan shell: how late scans of 10 ms start in the real control process, beside cyclictest in the same run.

1,000 controllers, 10,000 tags in the image, their values new ten times a second. Idle: control and a field. Full load: the
real historian, OPC UA server and HMI too, and clients that never pause (`bench.load`). With SCHED_FIFO and without.

`python -m bench.scan --minutes 10`, of which plain scheduling gets a fifth; the default is a tenth of a minute. An overrun of
cyclictest is a wake-up later than 10 ms: such a stall no process on this machine escaped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from bench.control import make
from bench.demo import accepts, busy_s
from bench.harness import Results
from scada.clock import SystemClock
from scada.control import realtime
from scada.control.health import Health
from scada.control.service import Loop
from scada.datadir import DataDir
from scada.scan import Program
from scada.service import Service
from tags import model
from tags.image import ImageReader
from tags.model import Site
from tags.publish import Publisher, create_files
from tags.site import system
from tests.support.ports import free_ports
from tests.support.wait import wait_for

PIDS: Final = 1000
TAGS: Final = 10_000
PERIOD_NS: Final = 10_000_000
PERIOD_US: Final = PERIOD_NS // 1000
SETTLE_S: Final = 3.0
CLOCK: Final = SystemClock()


def main() -> None:
    """Measures and writes bench/results/scan.json."""
    if sys.argv[1:2] == ["control"]:
        sys.exit(control(sys.argv[2:]))
    if sys.argv[1:2] == ["field"]:
        sys.exit(field(Path(sys.argv[2])))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.1, help="of each run with SCHED_FIFO")
    minutes = parser.parse_args().minutes
    if shutil.which("cyclictest") is None:
        sys.exit("cyclictest runs beside it. On Debian, as root: apt-get install rt-tests")
    results = Results("scan")
    for load in (False, True):
        for plain in (False, True):
            run(results, minutes * 60.0 / (5 if plain else 1), load=load, plain=plain)
    results.write()


def run(results: Results, seconds: float, *, load: bool, plain: bool) -> None:
    """One run: control, field, maybe everything else, and cyclictest beside them."""
    with tempfile.TemporaryDirectory(prefix="bench-scan-") as name:
        folder = Path(name)
        port = free_ports(2)
        data = prepare(folder / "data", port)
        out = folder / "scans.json"
        try:
            with contextlib.ExitStack() as stack:
                start = stack.enter_context
                start(process("-m", "bench.scan", "field", str(data.root)))
                others = {}
                for module in ("historian", "scada.opcua", "hmi") if load else ():
                    kind = module.rpartition(".")[2]
                    arguments = ("--data", str(data.root), "--name", kind, "--epoch", "1")
                    others[kind] = start(process("-m", module, *arguments)).pid
                way = ("--plain",) if plain else ()
                arguments = ("--data", str(data.root), "--name", "control", "--epoch", "1")
                scans = start(process("-m", "bench.scan", "control", str(out), *way, *arguments))
                image = ImageReader(data.image("control"))
                wait_for(lambda: image.ready, 60, "control is ready")
                image.close()
                if load:
                    wait_for(lambda: accepts(port) and accepts(port + 1), 120, "OPC UA and HMI listen")
                    start(process("-m", "bench.load", str(port), str(port + 1)))
                time.sleep(SETTLE_S * (3 if load else 1))
                before = {kind: busy_s(pid) for kind, pid in others.items()}
                beside = cyclictest(folder / "cyclictest.json", seconds, plain=plain)
                used = {kind: (busy_s(pid) - before[kind]) / seconds * 100 for kind, pid in others.items()}
                scans.send_signal(signal.SIGTERM)
                scans.wait(20)
        finally:
            shutil.rmtree(data.run.resolve(), ignore_errors=True)  # files in memory
        tell(results, orjson.loads(out.read_bytes()), beside, seconds, load=load, plain=plain)
        for kind, percent in used.items():
            results.add(f"CPU of {kind} meanwhile", percent, "% of a core")


def prepare(root: Path, port: int) -> DataDir:
    """A data directory with the compiled site and the files of its services."""
    site = site_of(port)
    data = DataDir(root)
    data.create()
    data.site_json.write_bytes(model.dump(site))
    create_files(data.run, site, 1)
    return data


def site_of(port: int) -> Site:
    """1,000 loops, the health tags of all services, and memory tags up to 10,000."""
    probe = make(PIDS)
    health = [
        tag
        for tag in system.tags(probe.services, probe.devices, simulated=False, tasks=("scan",))
        if tag.path not in probe.by_path()
    ]
    site = make(PIDS, TAGS - len(probe.tags) - len(health))
    rows: dict[str, int] = {}
    tags = []
    for number, tag in enumerate([*site.tags, *health], 1):
        row = rows[tag.writer] = rows.get(tag.writer, -1) + 1
        tags.append(dataclasses.replace(tag, id=number, row=row))
    tags.sort(key=lambda tag: (tag.writer, tag.row))
    made = dataclasses.replace(
        site,
        tags=tuple(tags),
        scan_ns=PERIOD_NS,
        opcua_endpoint=f"opc.tcp://127.0.0.1:{port}",
        hmi_port=port + 1,
    )
    # A hundred in each folder, as plants have them: asyncua needs quadratic time for many in one.
    text = re.sub(
        rb"area/([UM])(\d+)", lambda m: b"area%d/%s%s" % (int(m[2]) // 100, m[1], m[2]), model.dump(made)
    )
    return model.load(text)


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that ends with the block."""
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


def cyclictest(out: Path, seconds: float, *, plain: bool) -> dict[str, Any]:
    """What cyclictest sees in the meantime: a histogram of µs."""
    way = ["--policy=other"] if plain else ["-m", "-p", "90"]
    command = [
        "cyclictest",
        "-q",
        *way,
        "-i",
        str(PERIOD_US),
        "-D",
        str(max(1, round(seconds))),
        "-h",
        "1000000",
    ]
    subprocess.run([*command, f"--json={out}"], check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = orjson.loads(out.read_bytes())["thread"]["0"]
    return found


def tell(
    results: Results,
    scans: dict[str, Any],
    beside: dict[str, Any],
    seconds: float,
    *,
    load: bool,
    plain: bool,
) -> None:
    """Adds the figures of one run."""
    late = np.array(scans["late_ns"][-int(seconds / (PERIOD_NS / 1e9)) :]) / 1e3
    spent = np.array(scans["spent_ns"][-len(late) :]) / 1e3
    peer = np.repeat(
        np.array([int(us) for us in beside["histogram"]]), np.array(list(beside["histogram"].values()))
    )
    name = (
        f"{'all services at full load' if load else 'idle'}, {'plain scheduling' if plain else 'SCHED_FIFO'}"
    )
    if not plain and not scans["fifo"]:
        name += " (refused)"
    goals = {"p99.9": "" if plain else "<= 5000" if load else "<= 1000"}
    for label, share in (("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)):
        figure = float(np.percentile(late, share))
        results.add(
            f"lateness of a 10 ms scan, {name}, {label}", figure, "us", goals.get(label, ""), "cyclictest",
            float(np.percentile(peer, share)),
        )  # fmt: skip
    overruns, stalls = sum(scans["missed"][-len(late) :]), int((peer > PERIOD_US).sum())
    results.add(f"scans left out in {seconds:.0f} s, {name}", overruns, "", "", "cyclictest", stalls)
    results.add(
        f"… beyond what cyclictest sees, {name}", max(0, overruns - missed(peer)), "", "" if plain else "<= 0"
    )
    results.add(f"execution of a scan, {name}, p50", float(np.median(spent)), "us")
    results.add(f"execution of a scan, {name}, p99.9", float(np.percentile(spent, 99.9)), "us", "")


def missed(peer: npt.NDArray[np.int64]) -> int:
    """Whole periods in which cyclictest slept on."""
    return int((peer // PERIOD_US).sum())


# ---- processes of a run ------------------------------------------------------------------------------------------


class Kept(Health):
    """Health that keeps every scan.

    Attributes:
        late: Lateness of each, ns.
        left_out: Periods that were left out before each.
        took: Execution of each, ns.
    """

    def __init__(self, program: Program, clock: Callable[[], int]) -> None:
        super().__init__(program, clock)
        self.late, self.left_out, self.took = array("q"), array("q"), array("q")

    def count(self, now_ns: int, lateness_ns: int, missed: int) -> None:
        """Notes a scan that begins."""
        super().count(now_ns, lateness_ns, missed)
        self.late.append(lateness_ns)
        self.left_out.append(missed)

    def spent(self, execution_ns: int) -> None:
        """Notes how long it took."""
        super().spent(execution_ns)
        self.took.append(execution_ns)


def ask_for_nothing(cpu: int | None, priority: int) -> realtime.Grants:
    """Plain scheduling: all that is done is what needs no permission."""
    del cpu, priority
    gc.collect()
    gc.freeze()
    gc.disable()
    return realtime.Grants(fifo=False, locked=False, said=())


def control(arguments: list[str]) -> int:
    """The real loop of the control service; each scan's lateness and execution go to a file at its end."""
    out = Path(arguments.pop(0))
    plain = arguments[0] == "--plain"
    with Service.start(arguments[plain:], flags=("manual",)) as running:
        loop = Loop(running, Kept)
        loop.run(ask_for_nothing if plain else realtime.claim)
        loop.close()
    kept = loop.health
    assert isinstance(kept, Kept)
    document = {"late_ns": kept.late.tolist(), "spent_ns": kept.took.tolist(), "missed": kept.left_out.tolist(),
                "fifo": kept.grants is not None and kept.grants.fifo}  # fmt: skip
    out.write_bytes(orjson.dumps(document))
    return 0


def field(root: Path) -> int:
    """Plays the field: every device value is new ten times a second, outputs read back what control wants."""
    data = DataDir(root)
    site = model.load(data.site_json.read_bytes())
    tags = site.by_path()
    publisher = Publisher(data.run, "field", site.of_writer("field"), 1)
    image = ImageReader(data.image("control"))
    device = [tag for tag in site.of_writer("field") if tag.kind == "device"]
    outputs = [tag for tag in device if tag.command is not None]
    pvs = np.array([tag.row for tag in device if tag.command is None])
    outs = np.array([tag.row for tag in outputs])
    commands = np.array([tags[tag.command].row for tag in outputs if tag.command is not None])
    publisher.put_value(publisher.rows["system/PLC1/armed"], True, 0, CLOCK.utc_ns(), CLOCK.monotonic_ns())
    rng = np.random.default_rng(3)
    level = np.full(len(pvs), 2.5)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    due = CLOCK.monotonic_ns()
    while not stop:
        due += 100_000_000
        time.sleep(max(0.0, (due - CLOCK.monotonic_ns()) / 1e9))
        image.snapshot()
        level += rng.normal(0.0, 0.01, len(level))
        now, utc = CLOCK.monotonic_ns(), CLOCK.utc_ns()
        publisher.put(pvs, level.view(np.uint64), 0, utc, now)
        publisher.put(outs, image.value[commands], 0, utc, now)
        publisher.beat()
    image.close()
    publisher.close()
    return 0


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
