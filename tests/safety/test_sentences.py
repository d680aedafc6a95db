"""What the manual says about safety and no other test shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import orjson

from scada import arming
from scada.clock import SystemClock
from scada.datadir import DataDir
from scada.scan import retain
from scada.supervisor.epoch import Epochs
from scada.supervisor.run import _prepare
from tags.model import DEVICE
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA, GOOD
from tests.scan.plant import LEVEL, PROGRAM, REMOTE, SITE, SP, VALVE, Plant
from tests.support.site import make_site


def test_values_of_devices_are_not_kept_and_count_only_when_they_were_read() -> None:
    plant = Plant()
    plant.scan(scans=4)
    plant.ask("write", (SP, 3.0))
    kept = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    devices = {tag.path for tag in SITE.tags if tag.kind == DEVICE}
    assert not devices & set(kept["values"])
    later = Plant(retained=kept, utc_ns=plant.utc_ns)
    for path in (LEVEL, VALVE, REMOTE):
        assert later.quality(path) == BAD_WAITING_FOR_INITIAL_DATA
    assert later.quality(SP) == GOOD
    later.registers.clear()
    later.registers["system/PLC1/armed"] = True
    later.scan(scans=20)
    assert later.writes == []
    assert later.command(VALVE) is None, "nothing is driven on values that were not read"


def test_a_start_arms_simulators_only_and_only_when_they_are_ours(tmp_path: Path) -> None:
    site = make_site()
    real, played = site.devices[0], dataclasses.replace(site.devices[0], name="PLC9", simulate="water")
    site = dataclasses.replace(site, devices=(real, played))
    data = DataDir(tmp_path / "data")
    data.create()
    epochs = Epochs(data.epoch)
    _prepare(site, data, epochs, True, SystemClock())
    assert set(arming.armed(data.armed, site.devices)) == {"PLC9"}
    arming.arm(data.armed, real, reason="commissioned", user="anna", utc_ns=1)
    _prepare(site, data, epochs, False, SystemClock())
    assert set(arming.armed(data.armed, site.devices)) == {"PLC1"}, "what a person armed stays; ours ends"
