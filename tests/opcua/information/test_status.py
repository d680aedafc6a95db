from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.information.namespaces import published_ns
from scada.opcua.information.standard import moment
from scada.opcua.information.status import Health, Status, service_level
from tests.support.site import make_site

GOOD, BAD = ua.StatusCode(ua.StatusCodes.Good), ua.StatusCode(ua.StatusCodes.BadNoCommunication)


@pytest.mark.parametrize(
    ("devices", "control", "level"),
    [([], True, 255), ([True], True, 255), ([True, False], True, 100), ([False], True, 1), ([False, False], False, 1),
     ([True], False, 100), ([], False, 100), ([True] * 99 + [False], True, 197)],
)  # fmt: skip
def test_service_level(devices: list[bool], control: bool, level: int) -> None:
    assert service_level(devices, control=control) == level


@given(st.lists(st.booleans(), max_size=50), st.booleans())
def test_a_device_that_fails_never_raises_the_level(devices: list[bool], control: bool) -> None:
    level = service_level(devices, control=control)
    assert 1 <= level <= 255
    for i, connected in enumerate(devices):
        if connected:
            assert service_level([*devices[:i], False, *devices[i + 1 :]], control=control) <= level
    assert service_level(devices, control=False) <= level
    assert (level == 255) == (control and all(devices))


def test_the_level_is_read_from_the_health_of_devices_and_of_control() -> None:
    tags = make_site().tags
    rows = {tag.path: row for row, tag in enumerate(tags)}
    values = {rows["system/PLC1/connected"]: (True, GOOD), rows["system/control/scans"]: (7, GOOD)}
    now, asked = [0.0], []

    def value(row: int) -> ua.DataValue:
        asked.append(row)
        return ua.DataValue(Value=ua.Variant(values[row][0]), StatusCode=values[row][1])

    health = Health(tags, value, lambda: now[0])
    assert [health.level() for _ in range(100)] == [255] * 100
    assert len(asked) == 2, "worked out once in half a second, however often it is read"
    now[0] += 1.0
    values[rows["system/control/scans"]] = (7, BAD)
    assert health.level() == 100
    now[0] += 1.0
    values[rows["system/PLC1/connected"]] = (True, BAD)
    assert health.level() == 1, "field does not say any more that it is"
    now[0] += 1.0
    values[rows["system/PLC1/connected"]] = (False, GOOD)
    assert health.level() == 1


def test_status_tells_the_time_and_the_end() -> None:
    now = [1_000_000_000]
    status = Status("urn:x", 500_000_000, lambda: now[0])
    whole = status.whole().Value.Value
    assert (whole.StartTime, whole.CurrentTime) == (moment(500_000_000), moment(1_000_000_000))
    assert whole.State == ua.ServerState.Running
    assert whole.BuildInfo.ProductUri == "urn:x"
    now[0] += 1_000_000_000
    assert status.time().Value.Value == moment(2_000_000_000)
    status.stop("the plant ends", 3)
    whole = status.whole().Value.Value
    assert (whole.State, whole.SecondsTillShutdown, whole.ShutdownReason.Text) == (
        ua.ServerState.Shutdown,
        3,
        "the plant ends",
    )


def test_a_namespace_is_as_old_as_the_last_edit_of_its_site(tmp_path: Path) -> None:
    (tmp_path / "tags").mkdir()
    for number, name in enumerate(("site.yaml", "tags/a.yaml", "tags/b.csv", "notes.txt")):
        file = tmp_path / name
        file.write_text("")
        os.utime(file, ns=(number, number * 1_000_000_000))
    site = dataclasses.replace(make_site(), folder=str(tmp_path))
    assert published_ns(site, 9) == 2_000_000_000
    assert published_ns(make_site(), 9) == 9
    assert published_ns(dataclasses.replace(site, folder=str(tmp_path / "gone")), 9) == 9
