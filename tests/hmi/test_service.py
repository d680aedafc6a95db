from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from pathlib import Path

import httpx

from tests.hmi.plant import Hmi, Plant, make_displayed_site
from tests.support.wait import wait_for


def test_a_port_in_use_ends_in_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        plant = Plant(tmp_path / "data", dataclasses.replace(make_displayed_site(), hmi_port=port))
        hmi = Hmi(plant)
        try:
            assert hmi.process.wait(40) == 1
            lines = [json.loads(line) for line in hmi.log().splitlines()]
            last = lines[-1]
            assert last["level"] == "critical"
            assert f"port {port} is in use" in last["event"]
            assert "--hmi-port" in last["event"]
            assert "Traceback" not in hmi.log()
        finally:
            hmi.close()
            plant.close()
            shutil.rmtree(plant.data.run.resolve())


def test_asked_to_stop_it_stops_in_time_also_with_open_pages(own_server: tuple[Plant, Hmi]) -> None:
    from websockets.sync.client import connect

    _, hmi = own_server
    with connect(hmi.url().replace("http", "ws") + "/ws") as page:
        page.recv(timeout=5)
        hmi.process.terminate()
        assert hmi.process.wait(5) == 0


def test_it_beats_and_reports_its_health(server: tuple[Plant, Hmi]) -> None:
    plant, _ = server
    from scada.client import Client

    with Client(plant.data.root) as reader:

        def memory() -> float:
            reader.refresh()
            return float(reader.read("system/hmi/memory").value)

        assert 10 < wait_for(memory) < 120
        service = next(service for service in reader.services() if service.name == "hmi")
        assert service.state == "running"


def test_a_restart_takes_the_files_over_and_the_page_comes_back(own_server: tuple[Plant, Hmi]) -> None:
    plant, hmi = own_server
    hmi.process.kill()
    hmi.process.wait()
    again = Hmi(plant, epoch=2)
    try:
        assert httpx.get(f"{again.url()}/api/status").json()["epoch"] == 2
    finally:
        assert again.close() == 0
    hmi.process.returncode = 0
