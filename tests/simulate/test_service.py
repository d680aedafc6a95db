"""The simulators as processes: alone from a compiled site, and as a service of a plant."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from pymodbus.client import ModbusTcpClient

from scada.datadir import DataDir
from scada.simulate import inject
from tags import model
from tags.image import ImageReader
from tags.model import Device, Site
from tags.publish import create_files
from tests.support.ports import free_ports
from tests.support.site import make_site
from tests.support.wait import wait_for


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = DataDir(tmp_path / "data")
    data.create()
    return data


@pytest.fixture
def port() -> int:
    return free_ports()


def site_at(port: int) -> Site:
    site = make_site()
    plc = Device(
        name="PLC1",
        driver="modbus",
        service="field",
        config={"endpoint": f"tcp://127.0.0.1:{port}", "unit_id": 1},
        simulate="water",
    )
    memory = dataclasses.replace(
        site.by_path()["system/field/memory"],
        id=9999,
        path="system/simulate/memory",
        writer="simulate",
        row=0,
    )
    tags = tuple(sorted((*site.tags, memory), key=lambda tag: (tag.writer, tag.row)))
    return dataclasses.replace(site, devices=(plc,), tags=tags, services=(*site.services, "simulate"))


@contextmanager
def process(*argv: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


ALONE = """
import pathlib, sys
from scada.datadir import DataDir
from scada.simulate import run_simulators
from tags import model
data = DataDir(pathlib.Path(sys.argv[1]))
sys.exit(run_simulators(model.load(data.site_json.read_bytes()), data))
"""


def test_alone_it_listens_takes_faults_and_stops_on_ctrl_c(data: DataDir, port: int) -> None:
    data.site_json.write_bytes(model.dump(site_at(port)))
    with process("-W", "error", "-c", ALONE, str(data.root)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == f"PLC1 listens on 127.0.0.1:{port} (Modbus/TCP)\n"
        assert listens(port)
        assert inject(data, {"device": "PLC1", "do": "unplug"}) == {"ok": True}
        assert not listens(port)
        running.send_signal(signal.SIGINT)
        assert running.wait(5) == 0
    assert "no simulators" in str(inject(data, {"device": "PLC1", "do": "plug"})["error"])


def test_killed_and_started_again_its_plc_lives_on(data: DataDir, port: int) -> None:
    data.site_json.write_bytes(model.dump(site_at(port)))
    with process("-W", "error", "-c", ALONE, str(data.root)) as running:
        assert running.stdout is not None
        running.stdout.readline()
        inject(data, {"device": "PLC1", "set": {"P-101.local": True, "P-101.start": True}})
        wait_for(lambda: kept(data, "pumps.0.starter.run"), what="the pump to run and be kept")
        running.kill()
    with process("-W", "error", "-c", ALONE, str(data.root)) as running:
        assert running.stdout is not None
        running.stdout.readline()
        with ModbusTcpClient("127.0.0.1", port=port, retries=0) as client:
            assert client.read_discrete_inputs(1, count=1, device_id=1).bits[0]


def kept(data: DataDir, part: str) -> object:
    state = data.run / "simulate.state"
    return orjson.loads(state.read_bytes())["PLC1"]["parts"][part] if state.exists() else None


def test_a_port_in_use_is_one_clear_line(data: DataDir, port: int) -> None:
    data.site_json.write_bytes(model.dump(site_at(port)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with process("-W", "error", "-c", ALONE, str(data.root)) as running:
            _, errors = running.communicate(timeout=10)
    assert running.returncode == 1
    assert errors.count("\n") == 1
    assert f"PLC1: 127.0.0.1:{port}" in errors


def test_as_a_service_it_beats_and_stops_on_sigterm(data: DataDir, port: int) -> None:
    site = site_at(port)
    data.site_json.write_bytes(model.dump(site))
    create_files(data.run, site)
    with process(
        "-W", "error", "-m", "scada.simulate", "--data", str(data.root), "--name", "simulate", "--epoch", "1",
        "--parent", str(os.getpid()),
    ) as running:  # fmt: skip
        wait_for(lambda: listens(port), what="PLC1 to listen")
        image = ImageReader(data.image("simulate"))
        beat = image.heartbeat
        wait_for(lambda: image.heartbeat > beat, what="a heartbeat")
        wait_for(lambda: image.snapshot() and image.value[0] != 0, what="its memory")
        running.terminate()
        assert running.wait(5) == 0
