"""A small compiled site for tests that need no YAML: one Modbus device with a tank, a valve and a pump."""

from __future__ import annotations

import dataclasses
from typing import Any

from tags.model import Alarm, Block, Device, History, OnLoss, OpcuaSecurity, Scaling, Site, Tag, Write


def make_site(**overrides: Any) -> Site:
    """A site `small` with device PLC1; keyword arguments replace fields of `Site`.

    Tags: `tank1/LT-101` (m), `tank1/LV-101/OUT` (%, owner scada, held on loss, with command), `tank1/LV-101/POS`,
    `tank1/LV-101/REM`, `tank1/P-101/START` (pulse), `tank1/P-101/RUN`, memory `tank1/draining`, `tank1/note`
    (string), alarm `tank1/LT-101/HH`, PID points `tank1/LIC-101/SP|MODE|GAIN|TI|TD` and the system tags of the services.
    """
    second = 1_000_000_000
    field: list[dict[str, Any]] = [
        {"path": "tank1/LT-101", "type": "float64", "unit": "m", "range": (0.0, 5.0), "description": "Tank 1 level",
         "address": {"table": "input", "offset": 0, "bit": None, "count": 1, "type": "int16"},
         "scaling": Scaling(gain=5.0 / 27648)},
        {"path": "tank1/LV-101/OUT", "type": "float64", "unit": "%", "range": (0.0, 100.0),
         "address": {"table": "holding", "offset": 0, "bit": None, "count": 1, "type": "int16"},
         "scaling": Scaling(gain=100.0 / 27648), "owner": "scada", "write": Write(tolerance=0.5),
         "on_loss": OnLoss(action="hold"), "writable": True, "limits": (0.0, 100.0),
         "command": "tank1/LV-101/OUT/command", "remote": "tank1/LV-101/REM"},
        {"path": "tank1/LV-101/POS", "type": "float64", "unit": "%", "range": (0.0, 100.0),
         "address": {"table": "input", "offset": 1, "bit": None, "count": 1, "type": "int16"},
         "scaling": Scaling(gain=100.0 / 27648)},
        {"path": "tank1/LV-101/REM", "type": "bool",
         "address": {"table": "discrete", "offset": 0, "bit": None, "count": 1, "type": "bool"}},
        {"path": "tank1/P-101/START", "type": "bool", "owner": "plc", "write": Write(mode="pulse", time_ns=second // 2),
         "address": {"table": "coil", "offset": 0, "bit": None, "count": 1, "type": "bool"}, "writable": True,
         "command": "tank1/P-101/START/command"},
        {"path": "tank1/P-101/RUN", "type": "bool",
         "address": {"table": "discrete", "offset": 1, "bit": None, "count": 1, "type": "bool"}},
    ]  # fmt: skip
    modes = {"0": "Out of service", "1": "Manual", "2": "Auto", "3": "Cascade", "4": "Remote cascade"}
    control: list[dict[str, Any]] = [
        {"path": "tank1/LV-101/OUT/command", "type": "float64", "kind": "command", "unit": "%", "range": (0.0, 100.0),
         "command": "tank1/LV-101/OUT"},
        {"path": "tank1/P-101/START/command", "type": "bool", "kind": "command", "command": "tank1/P-101/START"},
        {"path": "tank1/draining", "type": "bool", "kind": "memory", "initial": False, "retain": True, "writable": True},
        {"path": "tank1/note", "type": "string", "kind": "memory", "initial": "", "retain": True, "writable": True},
        {"path": "tank1/LT-101/HH", "type": "int32", "kind": "alarm"},
        {"path": "tank1/LIC-101/SP", "type": "float64", "kind": "block", "unit": "m", "range": (0.0, 5.0),
         "limits": (1.0, 4.0), "initial": 2.5, "retain": True, "writable": True},
        {"path": "tank1/LIC-101/MODE", "type": "int32", "kind": "block", "states": modes, "retain": True, "writable": True},
        {"path": "tank1/LIC-101/GAIN", "type": "float64", "kind": "block", "initial": 2.0, "retain": True,
         "writable": True, "write_role": "engineer"},
        {"path": "tank1/LIC-101/TI", "type": "float64", "kind": "block", "unit": "s", "initial": 60.0, "retain": True,
         "writable": True, "write_role": "engineer"},
        {"path": "tank1/LIC-101/TD", "type": "float64", "kind": "block", "unit": "s", "initial": 0.0, "retain": True,
         "writable": True, "write_role": "engineer"},
    ]  # fmt: skip
    services = ("historian", "field", "control", "opcua", "hmi")
    system: dict[str, list[tuple[str, str]]] = {
        "field": [("field/memory", "float64"), ("PLC1/connected", "bool"), ("PLC1/armed", "bool"),
                  ("PLC1/period_asked", "float64"), ("PLC1/period_achieved", "float64"), ("PLC1/latency_p50", "float64"),
                  ("PLC1/latency_p99", "float64"), ("PLC1/errors", "int64"), ("PLC1/good_age", "float64")],
        "control": [("control/memory", "float64"), ("control/lateness_max", "float64"), ("control/execution_max", "float64"),
                    ("control/overruns", "int64"), ("control/scans", "int64"), ("control/realtime", "bool"),
                    ("control/shadow", "bool"), ("control/forces", "int32"), ("control/defects", "int32")],
        "historian": [("historian/memory", "float64"), ("historian/journal_lag", "float64"), ("historian/rows", "int64"),
                      ("historian/gaps", "int64"), ("historian/disk_free", "float64"), ("historian/ok", "bool"),
                      ("historian/journal", "int64"), ("historian/size", "float64")],
        "opcua": [("opcua/memory", "float64"), ("opcua/sessions", "int32"), ("opcua/connections", "int32"),
                  ("opcua/refusals", "int64"), ("opcua/slow_clients", "int64"), ("opcua/certificate_days", "float64"),
                  ("opcua/certificate_ends", "bool"), ("opcua/certificates_refused", "int64"),
                  ("opcua/logins_throttled", "int64"), ("opcua/subscriptions", "int32"), ("opcua/monitored_items", "int32"),
                  ("opcua/values_discarded", "int64"), ("opcua/changes_lost", "int64"), ("opcua/event_overflows", "int64"),
                  ("opcua/audits_suppressed", "int64")],
        "hmi": [("hmi/memory", "float64"), ("hmi/clients", "int32")],
        "supervisor": [("supervisor/memory", "float64"), *((f"supervisor/{name}", "int32") for name in services)],
    }  # fmt: skip
    tags: list[Tag] = []

    def add(writer: str, rows: list[dict[str, Any]]) -> None:
        start, known = sum(tag.writer == writer for tag in tags), len(tags)
        tags.extend(
            Tag(**{"id": known + number + 1, "writer": writer, "row": start + number, **row})
            for number, row in enumerate(rows)
        )

    add(
        "field",
        [
            {"kind": "device", "device": "PLC1", "scan_ns": second // 10, "history": History(), **row}
            for row in field
        ],
    )
    states = [
        {"path": f"system/control/{name}", "type": "int32", "kind": "alarm"} for name in ("FAILED", "FORCED")
    ]
    add("control", [*control, *states])
    for writer, names in system.items():
        add(writer, [{"path": f"system/{name}", "type": type_, "kind": "system"} for name, type_ in names])
    site = Site(
        name="small",
        timezone="Europe/Madrid",
        folder="",
        digest="0" * 64,
        scan_ns=second // 10,
        opcua_endpoint="opc.tcp://127.0.0.1:4840",
        opcua_security=OpcuaSecurity(unencrypted="loopback"),
        hmi_host="127.0.0.1",
        hmi_port=8080,
        services=services,
        tags=tuple(sorted(tags, key=lambda tag: (tag.writer, tag.row))),
        alarms=(
            Alarm(path="system/control/FAILED", tag="system/control/defects", kind="high", limit=0.5,
                  priority="high", message="A part of the program has failed"),
            Alarm(path="system/control/FORCED", tag="system/control/forces", kind="high", limit=0.5,
                  priority="low", message="Values are forced"),
            Alarm(path="tank1/LT-101/HH", tag="tank1/LT-101", kind="high", limit=4.6, deadband=0.05,
                  priority="critical", message="Tank 1 level very high", response="Close HV-100 by hand",
                  device="PLC1"),
        ),
        blocks=(
            Block(path="tank1/LIC-101", type="pid",
                  config={"pv": "tank1/LT-101", "out": "tank1/LV-101/OUT", "action": "reverse", "gain": 2.0,
                          "ti_ns": 60 * second, "td_ns": 0, "setpoint_tag": None, "sp_low": 1.0, "sp_high": 4.0,
                          "sp_initial": 2.5, "ramp": 0.0, "out_low": 0.0, "out_high": 100.0, "first_mode": 1,
                          "restart": "last", "on_bad_pv": {"hold_ns": 30 * second, "then": "manual"}},
                  points={name: f"tank1/LIC-101/{name}" for name in ("SP", "MODE", "GAIN", "TI", "TD")}),
        ),
        devices=(
            Device(name="PLC1", driver="modbus", service="field",
                   config={"endpoint": "tcp://127.0.0.1:5020", "unit_id": 1, "word_order": "big", "timeout": "500 ms"}),
        ),
        displays=(),
    )  # fmt: skip
    return dataclasses.replace(site, **overrides)
