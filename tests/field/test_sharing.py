"""Devices at one endpoint must agree; a serial port that is not there is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scada.field.modbus import Modbus, sharing
from scada.field.modbus.config import Config
from tags.model import Device
from tests.support.cable import cable


def device(name: str, endpoint: str, service: str = "field", **config: Any) -> tuple[Device, Config]:
    return Device(name=name, driver="modbus", service=service, config={}), Config(endpoint=endpoint, **config)


def forbid(path: str) -> None:
    """Nobody may open it."""
    Path(path).chmod(0)


def test_devices_that_agree_share() -> None:
    serial = {"baud": 9600}
    assert not Modbus.together(
        [
            device("A", "rtu:///dev/ttyUSB0", unit_id=1, serial=serial, timeout="1 s"),
            device("B", "rtu:///dev/ttyUSB0", unit_id=2, serial=serial, timeout="2 s"),
            device("C", "tcp://10.0.0.1", unit_id=2, window=2),
            device(
                "D", "tcp://10.0.0.1:502", "field2", unit_id=3, window=2
            ),  # two connections to one gateway
            device("E", "rtu:///dev/ttyUSB1", serial={"baud": 1200}),
        ]
    )


def test_one_line_has_one_master() -> None:
    for endpoint in ("rtu:///dev/ttyUSB0", "rtu+tcp://10.0.0.1:4001"):
        found = sharing.problems([device("A", endpoint), device("B", endpoint, "field2", unit_id=2)])
        assert [name for name, _ in found] == ["B"]
        assert "One line has one master" in found[0][1]


def test_a_port_by_two_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/ttyS77")
    found = sharing.problems(
        [device("A", "rtu:///dev/ttyS77"), device("B", f"rtu://{tmp_path}/link", unit_id=2)]
    )
    assert found == [
        (
            "B",
            f"{tmp_path}/link is the same port as /dev/ttyS77 of A. Write it in the same way in both",
        )
    ]


async def test_what_is_told_of_a_port(tmp_path: Path) -> None:
    def told(path: str) -> list[str]:
        found = Modbus.dated(Config(endpoint=f"rtu://{path}"), 0)
        assert not any(over for over, _ in found)
        return [text for _, text in found]

    async with cable() as line:
        assert told(line.one) == []
        if os.geteuid():  # root may open everything
            forbid(line.one)
            assert "may not be opened" in told(line.one)[0]
    assert "there is no" in told(f"{tmp_path}/ttyUSB0")[0]
    assert "no serial port" in told(str(tmp_path))[0]
    assert Modbus.dated(Config(endpoint="tcp://10.0.0.1"), 0) == []
