"""What breaks leaves the rest running, says so, and heals by itself where it can."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from scada.client import Client, NotRunning
from scada.datadir import DataDir
from tags import quality
from tests.e2e.plant import SCADA, SERVICES, DemoPlant
from tests.support import standard_nodes
from tests.support.ports import free_ports
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)


def number(client: Client, path: str) -> float:
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


def test_an_unplugged_plc(plant: DemoPlant, client: Client) -> None:
    """Its values are Bad within 2 s, there is one alarm, the valve holds, and the return is bumpless."""
    wait_for(lambda: plant.all_good(client), 10)
    held = number(client, "tank1/LV-101/OUT/command")
    plant.inject("PLC1", "unplug")
    began = time.monotonic()

    def bad() -> bool:
        client.refresh()
        return quality.is_bad(client.read("tank1/LT-101").status)

    wait_for(bad, 5, "LT-101 is Bad")
    assert time.monotonic() - began < 2.0
    alarms = wait_for(lambda: [a for a in plant.json("alarms", "list") if a["active"]], 5)
    assert [a["path"] for a in alarms if a["path"].startswith(("tank1", "system/PLC1"))] == [
        "system/PLC1/COMMS"
    ]
    client.refresh()
    assert client.read("ahu1/TT-201").good  # the others go on
    wait_for(
        lambda: plant.json("history", "tank1/LT-101", "--start=-10s")[-1]["quality"] == "BadNoCommunication",
        5,
    )
    plant.inject("PLC1", "plug")
    wait_for(lambda: plant.all_good(client), 10, "all Good again")
    assert largest_step(client, "tank1/LV-101/OUT/command", time.monotonic() + 3) < 2.0
    assert abs(number(client, "tank1/LV-101/OUT/command") - held) < 10.0
    assert not [a for a in plant.json("alarms", "list") if a["active"] and "COMMS" in a["path"]]


def test_local_at_the_panel_and_back(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10)
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
    wait_for(lambda: plant.all_good(client), 10)
    wait_for(
        lambda: abs(number(client, "tank1/P-101/SPD") - 90) < 0.5, 20, "the ramp of the speed is at its end"
    )
    plant.scada("write", "tank1/LIC-101/MODE", "Manual")
    plant.scada("write", "tank1/LV-101/OUT", "90", "--timeout", "8 s")
    wait_for(lambda: abs(number(client, "tank1/LV-101/POS") - 90) > 5, 5, "in mid stroke")
    speed = number(client, "tank1/P-101/SPD")
    first = plant.pid("control")
    os.kill(first, signal.SIGKILL)
    step = largest_step(client, "tank1/LV-101/OUT", time.monotonic() + 4)
    assert step < 1.0  # what the PLC was told did not move
    assert plant.pid("control") != first
    wait_for(lambda: plant.all_good(client), 5)
    assert number(client, "tank1/LV-101/OUT/command") == pytest.approx(90, abs=0.5)
    assert number(client, "tank1/LIC-101/MODE") == 1
    assert number(client, "tank1/P-101/SPD") == pytest.approx(speed, abs=1)


def test_each_killed_service_is_back_within_seconds(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10)
    for service in SERVICES:
        first = plant.pid(service)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: _other(plant, service, first), 10, f"{service} was started again")  # noqa: B023
        wait_for(lambda: plant.all_good(client), 15, f"all Good after {service}: {plant.not_good(client)}")
    told = wait_for(
        lambda: {e.get("name") for e in client.events(0, 1 << 62, ["service"])} >= set(SERVICES), 10
    )
    assert told, "each restart is an event"


def test_each_frozen_service_is_replaced(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10)
    for service in ("field", "control", "hmi"):
        first = plant.pid(service)
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: _other(plant, service, first), 15, f"{service} was replaced")  # noqa: B023
        wait_for(lambda: plant.all_good(client), 15, f"all Good after {service}: {plant.not_good(client)}")


def _other(plant: DemoPlant, service: str, first: int) -> bool:
    try:
        return plant.pid(service) != first
    except AssertionError:
        return False


def test_a_killed_supervisor_takes_its_services_along_and_the_plant_starts_again(plant: DemoPlant) -> None:
    pids = [plant.pid(service) for service in SERVICES]
    plant.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 5, "the services ended too")
    plant.start()
    with plant.client() as client:
        wait_for(lambda: plant.all_good(client), 10)


def test_a_frozen_supervisor_stops_nothing(plant: DemoPlant, client: Client) -> None:
    wait_for(lambda: plant.all_good(client), 10)
    os.kill(plant.process.pid, signal.SIGSTOP)
    try:

        def said() -> bool:
            client.refresh()
            return any(s.name == "supervisor" and s.state == "not responding" for s in client.services())

        wait_for(said, 10, "somebody says that the supervisor does not respond")
        assert "confirmed" in plant.scada("write", "tank1/LIC-101/SP", "2.6")
    finally:
        os.kill(plant.process.pid, signal.SIGCONT)
    wait_for(lambda: plant.all_good(client), 10)


def test_disk_full_for_the_journal(plant: DemoPlant, client: Client) -> None:
    """The historian says so and goes on; control does not notice; it heals when there is room again."""
    wait_for(lambda: plant.all_good(client), 10)
    historian = plant.pid("historian")
    soft, hard = resource.prlimit(historian, resource.RLIMIT_FSIZE)
    scans = number(client, "system/control/scans")
    resource.prlimit(historian, resource.RLIMIT_FSIZE, (4096, hard))
    wait_for(
        lambda: number(client, "system/historian/ok") == 0, 15, "the historian says that it cannot write"
    )

    def alarmed() -> list[bool]:
        found = plant.json("alarms", "list")
        return [a["active"] for a in found if a["path"] == "system/historian/FAILED"]

    wait_for(lambda: alarmed() == [True], 15, "an alarm says so")
    assert "confirmed" in plant.scada("write", "tank1/LIC-101/SP", "2.75")
    assert number(client, "system/control/scans") > scans
    assert plant.pid("historian") == historian
    resource.prlimit(historian, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: number(client, "system/historian/ok") == 1, 30, "it writes again")
    wait_for(lambda: alarmed() == [False], 15, "the alarm is over, and waits for somebody to see it")
    rows = wait_for(
        lambda: [r for r in plant.json("history", "tank1/LIC-101/SP", "--start=-5min") if r["value"] == 2.75],
        10,
    )
    assert rows  # nothing of the outage is missing


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


def test_ctrl_c_stops_everything_cleanly(plant: DemoPlant) -> None:
    pids = [plant.pid(service) for service in SERVICES]
    assert plant.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "Traceback" not in plant.output
