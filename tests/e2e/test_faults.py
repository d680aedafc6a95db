"""What breaks leaves the rest running, says so, and heals by itself where it can."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from scada.client import Client, NotRunning
from scada.datadir import DataDir
from tests.e2e.plant import SCADA, DemoPlant, largest_step, number
from tests.support import standard_nodes
from tests.support.ports import free_ports
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)


def test_local_at_the_panel_and_back(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    plant.inject("PLC1", "LV-101.local=true")
    wait_for(lambda: number(client, "tank1/LV-101/REM") == 0, 5, "Local is seen")
    assert "Local" in plant.scada("write", "tank1/LV-101/OUT", "50", code=3)
    plant.inject("PLC1", "LV-101.hand=70")
    wait_for(lambda: abs(number(client, "tank1/LV-101/POS") - 70) < 1, 45, "moved by hand")
    wait_for(
        lambda: abs(number(client, "tank1/LV-101/OUT/command") - 70) < 2,
        5,
        "the command follows the feedback",
    )
    plant.inject("PLC1", "LV-101.local=false")
    wait_for(lambda: number(client, "tank1/LV-101/REM") == 1, 5)
    assert largest_step(client, "tank1/LV-101/OUT/command", time.monotonic() + 3) < 2.0
    assert abs(number(client, "tank1/LV-101/POS") - 70) < 8


def test_control_killed_in_mid_stroke(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10, every_s=0.1)
    wait_for(
        lambda: abs(number(client, "tank1/P-101/SPD") - 90) < 0.5, 20, "the ramp of the speed is at its end"
    )
    plant.scada("write", "tank1/LIC-101/MODE", "Manual")
    plant.scada("write", "tank1/LV-101/OUT", "90", "--timeout", "8 s")
    wait_for(lambda: abs(number(client, "tank1/LV-101/POS") - 90) > 5, 5, "in mid stroke")
    speed = number(client, "tank1/P-101/SPD")
    alarm = "tank1/LT-101/LL"
    assert client.request(
        "shelve", [(alarm, None)], "spare part", for_s=3600, user="anna", role="operator"
    ).ok
    shelved = client.condition(alarm).shelved
    first = plant.pid("control")
    os.kill(first, signal.SIGKILL)
    step = largest_step(client, "tank1/LV-101/OUT", time.monotonic() + 4)
    assert step < 1.0  # what the PLC was told did not move
    assert plant.pid("control") != first
    wait_for(lambda: plant.all_good(client), 5, every_s=0.1)
    assert number(client, "tank1/LV-101/OUT/command") == pytest.approx(90, abs=0.5)
    assert number(client, "tank1/LIC-101/MODE") == 1
    assert number(client, "tank1/P-101/SPD") == pytest.approx(speed, abs=1)
    with plant.client() as later:  # who begins now knows who shelved it before control died
        assert (later.condition(alarm).bits, later.condition(alarm).shelved) == (8, shelved)
    assert shelved is not None
    assert (shelved.user, shelved.text) == ("anna", "spare part")


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        first = free_ports(4)
        port = taken.getsockname()[1]
        done = _run("demo", "--data", str(tmp_path / "other"), "--hmi-port", str(port), "--opcua-port",
                    str(first), "--plc-port", str(first + 1))  # fmt: skip
    assert done.returncode == 1
    assert str(port) in done.stderr + done.stdout
    assert "--hmi-port" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_a_data_directory_that_is_in_use_or_cannot_be_used(shared_plant: DemoPlant, tmp_path: Path) -> None:
    done = _run("demo", "--data", str(shared_plant.data.root), "--hmi-port", "18099")
    assert done.returncode == 1
    assert "in use" in done.stderr + done.stdout
    (tmp_path / "file").write_text("")
    done = _run("demo", "--data", str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert "--data" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    with shared_plant.client() as client:
        assert client.services()  # the running plant did not mind


def test_a_bad_site_starts_nothing(tmp_path: Path) -> None:
    site = _copy_demo(tmp_path)
    tags = site / "tags" / "water.yaml"
    tags.write_text(
        tags.read_text().replace("unit: m\n", "unit: metre\n", 1).replace("device: PLC1", "device: PLC7", 1)
    )
    checked = _run("check", str(site))
    assert checked.returncode == 1
    assert "water.yaml:" in checked.stderr
    done = _run("run", str(site), "--data", str(tmp_path / "data"))
    assert done.returncode == 78
    assert "PLC7" in done.stderr
    assert not (tmp_path / "data" / "run").exists()


def test_plcs_absent_at_start(tmp_path: Path) -> None:
    """`scada run` without its PLCs says so and heals when they appear: `scada simulate` plays them."""
    first = free_ports(5)
    site = _copy_demo(tmp_path)
    for file in site.rglob("*.yaml"):
        text = file.read_text()
        for number_ in range(3):
            text = text.replace(f"127.0.0.1:{5020 + number_}", f"127.0.0.1:{first + 2 + number_}")
        file.write_text(text)
    data = tmp_path / "data"
    standard_nodes.lend(tmp_path.parent, DataDir(data))
    run = subprocess.Popen(
        [*SCADA, "run", str(site), "--data", str(data), "--hmi-port", str(first), "--opcua-port",
         str(first + 1)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    simulate = None
    try:
        client = wait_for(lambda: _client(data), 20, "the plant runs")

        def alarmed() -> bool:
            client.refresh()
            return any("COMMS" in alarm.path for alarm in client.alarms())

        wait_for(alarmed, 15, "alarms say so")
        simulate = subprocess.Popen([*SCADA, "simulate", str(site), "--data", str(tmp_path / "simulated")])

        def good() -> bool:
            client.refresh()
            return client.read("tank1/LT-101").good and client.read("ahu1/TT-201").good

        wait_for(good, 20, "values are Good")
        assert not client.read("system/PLC1/armed").value  # a site's outputs start disarmed
        client.close()
    finally:
        for process in (simulate, run):
            if process is not None:
                process.send_signal(signal.SIGTERM)
        for process in (simulate, run):
            if process is not None:
                assert process.wait(timeout=20) == 0


def _client(data: Path) -> Client | None:
    try:
        return Client(data)
    except NotRunning:
        return None


def _copy_demo(folder: Path) -> Path:
    import shutil

    target = folder / "site"
    shutil.copytree(Path(__file__).parents[2] / "config" / "demo", target)
    return target


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCADA, *words], capture_output=True, text=True, check=False, timeout=60)
