"""The devices of the page on simulated devices are a site, and are played as the page says."""

from __future__ import annotations

from pathlib import Path

from scada.clock import SimulatedClock
from scada.modbus import dump
from scada.simulate.plants import DUMP, MEMORY, PLANTS
from scada.simulate.simulation import ACTIONS, Simulation
from tags.site import read_site
from tests.docs.test_reference import DOCS


def test_the_devices_of_the_page(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "simulate-devices.md").read_text()
    devices = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "site.yaml").write_text(f"site: mysite\ntimezone: UTC\n{devices}")
    recorded = dump.lines(dump.Header(), [dump.Range(0.0, "holding", 0, (1,), 1)])
    (tmp_path / "old-plc.dump").write_text("".join(recorded))
    site = read_site(tmp_path)
    simulation = Simulation(site.devices, SimulatedClock(), site.tags)
    assert sorted(simulation.plants) == ["GW7", "METER1", "METER2", "OLD", "PLC1"]
    assert simulation.servers["METER1"] is simulation.servers["METER2"]
    for name in (*PLANTS, MEMORY, DUMP):
        assert f"`{name}`" in page or f"`{{{name}: FILE}}`" in page


def test_each_fault_is_on_its_page() -> None:
    page = (DOCS / "how-to" / "inject-faults.md").read_text()
    assert [action for action in ACTIONS if f"{action}" not in page] == []
