"""Which ports simulated devices need, and how they move with --plc-port."""

from __future__ import annotations

import dataclasses

from scada.supervisor.ports import ports
from tags.model import Device, Site
from tags.site.overrides import apply_overrides
from tests.support.site import make_site

ENDPOINTS = (
    "tcp://127.0.0.1:5020",
    "rtu+tcp://127.0.0.1:5021",
    "rtu+tcp://127.0.0.1:5021",
    "rtu:///tmp/line",
    "tls://[::1]:8020",
)


def site() -> Site:
    devices = tuple(
        Device(
            name=f"PLC{n}",
            driver="modbus",
            service="field",
            config={"endpoint": text, "unit_id": n},
            simulate="memory",
        )
        for n, text in enumerate(ENDPOINTS)
    )
    return dataclasses.replace(make_site(), devices=devices, services=("simulate",))


def test_each_port_is_needed_once_and_a_serial_line_has_none() -> None:
    assert [(port.what, port.number) for port in ports(site())] == [
        ("simulated PLC0", 5020),
        ("simulated PLC1", 5021),
        ("simulated PLC4", 8020),
    ]


def test_devices_behind_one_port_move_together_and_a_serial_line_stays() -> None:
    moved = apply_overrides(site(), plc_port=7000)
    assert [device.config["endpoint"] for device in moved.devices] == [
        "tcp://127.0.0.1:7000",
        "rtu+tcp://127.0.0.1:7001",
        "rtu+tcp://127.0.0.1:7001",
        "rtu:///tmp/line",
        "tls://[::1]:7002",
    ]
