"""What polling costs in time: by hand, on serial lines too, and what is refused or noted for it."""

from __future__ import annotations

from typing import Any

import pytest

from scada.field.modbus import Modbus, cost
from scada.field.modbus.budget import Budget, time_text
from scada.field.modbus.config import Config
from tags.model import Device, Tag

MS = 1_000_000
S = 1000 * MS


def config(endpoint: str = "tcp://plc", **more: Any) -> Config:
    return Config.model_validate({"endpoint": endpoint, **more})


def tags(count: int, step: int, scan_ns: int = S, type_: str = "int16") -> list[Tag]:
    """Tags at every `step`-th register."""
    address = {"table": "holding", "bit": None, "count": 1, "type": type_}
    return [
        Tag(id=n, path=f"t/{n}", type=type_, kind="device", writer="field", row=n, scan_ns=scan_ns,
            address={**address, "offset": n * step})
        for n in range(count)
    ]  # fmt: skip


def budget(*devices: tuple[Config, list[Tag]], beat_ns: int = 0) -> Budget:
    heartbeat = {"address": {"offset": 0}, "every_ns": beat_ns} if beat_ns else None
    return Modbus.budget(
        [
            (Device(name=f"PLC{n}", driver="modbus", service="field", config={}, heartbeat=heartbeat), *one)
            for n, one in enumerate(devices, 1)
        ]
    )


def test_a_device_that_cannot_is_refused_with_the_sum() -> None:
    found = budget((config(turnaround="12 ms", max_gap=0), tags(100, 2)))
    [(device, text)] = found.problems
    assert device == "PLC1"
    assert text.startswith("scan 1 s: 100 requests × 12 ms = 1.2")  # noqa: RUF001 - as it is written
    assert "> 1 s. Use a longer scan:" in text
    assert "turnaround" not in text  # it was said
    assert found.notes == ()
    [load] = found.loads
    assert (load.tags, load.requests, load.group) == (100, 100, "1 s")
    assert load.share == pytest.approx(1.2, rel=0.01)


def test_what_is_assumed_is_said() -> None:
    [(_, text)] = budget((config(max_gap=0), tags(10, 2, 20 * MS))).problems
    assert "5 ms for an answer is assumed: if it is faster, say so by turnaround:" in text
    assert budget((config(max_gap=0, turnaround="1 ms"), tags(10, 2, 20 * MS))).problems == ()


def test_groups_add_up() -> None:
    some = [*tags(60, 2, S), *tags(6, 2, 100 * MS)]
    found = budget((config(turnaround="10 ms", max_gap=0), some))
    assert [load.group for load in found.loads] == ["100 ms", "1 s"]
    [(_, text)] = found.problems
    assert text.startswith("it takes 120% of the time of tcp://plc:502 (scan 100 ms: 6 requests")
    assert "; scan 1 s: 60 requests" in text


def test_devices_on_one_link_add_up_and_others_do_not() -> None:
    ten = [
        (config("rtu+tcp://gw:4001", unit_id=n, turnaround="40 ms", max_gap=0), tags(3, 2))
        for n in range(1, 11)
    ]
    [(_, text)] = budget(*ten).problems
    assert "10 devices together take" in text
    assert "PLC1 scan 1 s: 3 requests" in text
    assert "and 7 more" in text
    apart = [(config(f"rtu+tcp://gw{n}:4001", turnaround="40 ms", max_gap=0), tags(3, 2)) for n in range(10)]
    assert budget(*apart).problems == ()
    assert budget(*apart).notes == ()


def test_little_room_is_noted() -> None:
    found = budget((config(turnaround="9 ms", max_gap=0), tags(100, 2)))
    assert found.problems == ()
    [(_, text)] = found.notes
    assert text == "it takes 90% of the time of tcp://plc:502: little is left for an answer that comes late"


def test_the_heartbeat_counts() -> None:
    found = budget((config(turnaround="10 ms"), tags(1, 1)), beat_ns=100 * MS)
    assert [(load.group, load.requests) for load in found.loads] == [("1 s", 1), ("heartbeat", 2)]
    assert found.loads[1].share == pytest.approx(0.2, rel=0.01)


def test_a_window_divides() -> None:
    one, four = (
        budget((config(max_gap=0, window=window), tags(100, 2))).loads[0].time_ns for window in (1, 4)
    )
    assert four == pytest.approx(one / 4, rel=0.01)


@pytest.mark.parametrize(
    ("baud", "registers", "expect_ms"),
    [
        # 8 + 5 + 2 n characters of 11 bits, two silences of 3.5 characters (1.75 ms above 19200 Bd), 5 ms
        (9600, 10, (13 + 20 + 7) * 11 / 9.6 + 5),
        (19200, 125, (13 + 250 + 7) * 11 / 19.2 + 5),
        (115200, 10, (13 + 20) * 11 / 115.2 + 3.5 + 5),
    ],
)
def test_a_request_on_a_serial_line(baud: int, registers: int, expect_ms: float) -> None:
    settings = config("rtu:///dev/ttyUSB0", serial={"baud": baud})
    assert cost.request_ns(settings, 2 * registers) / MS == pytest.approx(expect_ms, rel=0.001)


@pytest.mark.parametrize(
    ("settings", "gap"),
    [
        (config(), 125),
        (config("rtu:///dev/ttyS0", serial={"baud": 9600}), 12),
        (config("rtu:///dev/ttyS0", serial={"baud": 115200}), 51),
        (config("rtu:///dev/ttyS0", serial={"baud": 9600}, turnaround="50 ms"), 31),
        (config("rtu+tcp://gw:4001", serial={"baud": 9600}), 12),
        (config("rtu+tcp://gw:4001"), config("rtu:///dev/ttyS0").gap),
        (config(max_gap=3), 3),
        (config(max_gap=0), 0),
    ],
)
def test_break_even_gap(settings: Config, gap: int) -> None:
    assert settings.gap == gap


@pytest.mark.parametrize(
    ("ns", "text"),
    [(3_600 * S, "1 h"), (60 * S, "1 min"), (90 * S, "90 s"), (1_200 * MS, "1.2 s"), (100 * MS, "100 ms"), (12_340_000, "12.3 ms"), (S, "1 s")],
)  # fmt: skip
def test_times_as_people_write_them(ns: int, text: str) -> None:
    assert time_text(ns) == text


@pytest.mark.parametrize("text", ["0 ms", "61 s", "5", "-1 ms"])
def test_a_turnaround_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="Write"):
        config(turnaround=text)
