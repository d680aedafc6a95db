"""Limits, delays, quality, suppression, acknowledgement and restart by example."""

from __future__ import annotations

import math
import timeit

import pytest

from tags import model
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD_LOCAL_OVERRIDE,
    UNCERTAIN_EU_EXCEEDED,
    UNCERTAIN_LAST_USABLE,
)
from tests.alarms.rig import SECOND, Rig, comms, limit

HH, L = "t/LT/HH", "t/LT/L"


def walk(rig: Rig, path: str, values: list[float]) -> list[int]:
    seen = []
    for value in values:
        rig.set("t/LT", value)
        rig.scan()
        seen.append(rig.bits(path))
    return seen


def test_high_and_low_with_dead_band() -> None:
    rig = Rig([limit(HH, 4.5, deadband=0.25), limit(L, 1.0, deadband=0.25)])
    assert walk(rig, HH, [4.5, 4.51, 4.4, 4.26, 4.25]) == [0, 3, 3, 3, 2]
    assert walk(rig, L, [1.0, 0.99, 1.1, 1.24, 1.25]) == [0, 3, 3, 3, 2]


def test_delays() -> None:
    rig = Rig([limit(HH, 4.0, on_s=3, off_s=2)])
    assert walk(rig, HH, [5, 5, 5, 0, 5, 5, 5, 5]) == [0, 0, 0, 0, 0, 0, 0, 3]
    assert walk(rig, HH, [0, 0, 5, 0, 0, 0]) == [3, 3, 3, 3, 3, 2]


def test_a_long_scan_counts_whole() -> None:
    rig = Rig([limit(HH, 4.0, on_s=10)])
    walk(rig, HH, [5])
    rig.scan(periods=10)
    assert rig.bits(HH) == 3


def test_acknowledge_and_its_event() -> None:
    rig = Rig([limit(HH, 4.6, priority="critical")])
    walk(rig, HH, [5.0])
    assert rig.acknowledge(HH) is None
    assert rig.bits(HH) == 1
    assert rig.acknowledge(HH) == "t/LT/HH has nothing to acknowledge"
    assert rig.acknowledge("t/NO/HH") == "there is no alarm 't/NO/HH'"
    assert rig.events == [
        {"kind": "alarm", "t": SECOND, "path": HH, "tag": "t/LT", "type": "high", "action": "raise", "from": 0, "to": 3,
         "value": 5.0, "priority": "critical", "message": "t/LT/HH message", "number": SECOND, "active": SECOND,
         "inactive": 0},
        {"kind": "alarm", "t": SECOND, "path": HH, "tag": "t/LT", "type": "high", "action": "acknowledge", "from": 3,
         "to": 1, "value": 5.0, "priority": "critical", "message": "t/LT/HH message", "number": SECOND + 1,
         "active": SECOND, "inactive": 0, "user": "anna", "source": "", "role": ""},
    ]  # fmt: skip


@pytest.mark.parametrize("status", [BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE])
@pytest.mark.parametrize("value", [0.0, 5.0, math.nan])
def test_bad_input_keeps_the_state(status: int, value: float) -> None:
    for first, bits in ((5.0, 3), (0.0, 0)):
        rig = Rig([limit(HH, 4.0)])
        walk(rig, HH, [first])
        rig.set("t/LT", value, status)
        rig.scan(5)
        assert rig.bits(HH) == bits


def test_good_nan_keeps_the_state_and_restarts_the_delay() -> None:
    rig = Rig([limit(HH, 4.0, on_s=2)])
    assert walk(rig, HH, [5, 5, math.nan, 5, 5, 5]) == [0, 0, 0, 0, 0, 3]


@pytest.mark.parametrize("status", [UNCERTAIN_EU_EXCEEDED, GOOD_LOCAL_OVERRIDE])
def test_beyond_the_range_and_forced_values_alarm(status: int) -> None:
    rig = Rig([limit(HH, 4.0)])
    rig.set("t/LT", 5.1, status)
    rig.scan()
    assert rig.bits(HH) == 3


def test_state_alarm_of_a_flag_and_of_a_count() -> None:
    alarms = [
        model.Alarm(path="t/V/STUCK", tag="t/V/DISCREPANCY", kind="state"),
        model.Alarm(path="system/control/FORCED", tag="system/control/forces", kind="state"),
    ]
    rig = Rig(alarms, {"t/V/DISCREPANCY": "bool", "system/control/forces": "int32"})
    rig.set("t/V/DISCREPANCY", True)
    rig.set("system/control/forces", 2)
    rig.scan()
    assert [rig.bits(a.path) for a in alarms] == [3, 3]
    rig.set("t/V/DISCREPANCY", False)
    rig.set("system/control/forces", 0)
    rig.scan()
    assert [rig.bits(a.path) for a in alarms] == [2, 2]


def test_unless_suppresses_and_gives_back() -> None:
    rig = Rig([limit(L, 1.0, unless="t/draining")], {"t/draining": "bool"})
    rig.set("t/draining", True)
    walk(rig, L, [5.0, 0.5])
    assert rig.bits(L) == 5  # active, suppressed, nothing to acknowledge
    assert rig.acknowledge(L) == "t/LT/L has nothing to acknowledge"
    assert rig.events == []
    rig.set("t/draining", False, BAD_SENSOR_FAILURE)  # not known: as it was
    rig.scan()
    assert rig.bits(L) == 5
    rig.set("t/draining", False)
    rig.scan()
    assert rig.bits(L) == 3
    assert [(e["from"], e["to"]) for e in rig.events] == [(5, 3)]


def test_one_communication_alarm_instead_of_forty() -> None:
    tags = [
        model.Alarm(path=f"t/T{n}/QUALITY", tag=f"t/T{n}", kind="quality", device="PLC1") for n in range(40)
    ]
    limits = [limit(f"t/T{n}/H", 4.0, device="PLC1") for n in range(40)]
    other = model.Alarm(path="t/X/QUALITY", tag="t/X", kind="quality", device="PLC2")
    rig = Rig([*tags, *limits, other, comms(on_s=3, off_s=3), comms("PLC2")],
              {"system/PLC1/connected": "bool", "system/PLC2/connected": "bool"})  # fmt: skip
    for n in range(40):
        rig.set(f"t/T{n}", 5.0 if n == 7 else 0.0)
    rig.set("t/X", 0.0)
    rig.set("system/PLC1/connected", True)
    rig.set("system/PLC2/connected", True)
    rig.scan(5)
    assert rig.acknowledge("t/T7/H") is None
    rig.events.clear()

    rig.set("system/PLC1/connected", False)
    for n in range(40):
        rig.set(f"t/T{n}", 0.0, BAD_NO_COMMUNICATION)
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    rig.scan(10)
    shouting = [(e["path"], e["to"]) for e in rig.events if e["to"] & 2]
    assert sorted(shouting) == [("system/PLC1/COMMS", 3), ("t/X/QUALITY", 3)]
    assert rig.bits("t/T3/QUALITY") == 5
    rig.events.clear()

    rig.set("system/PLC1/connected", True)
    for n in range(40):
        rig.set(f"t/T{n}", 5.0 if n == 7 else 0.0)
    rig.scan(10)
    assert [(e["path"], e["to"]) for e in rig.events if e["to"] & 2] == [("system/PLC1/COMMS", 2)]
    assert rig.bits("t/T7/H") == 1  # acknowledged before, still active: not announced again
    assert rig.bits("t/T3/QUALITY") == 0


def test_dead_device_at_start_and_dead_field_service() -> None:
    rig = Rig([comms()], {"system/PLC1/connected": "bool"})
    rig.set("system/PLC1/connected", False, BAD_WAITING_FOR_INITIAL_DATA)
    rig.scan(3)
    assert rig.bits("system/PLC1/COMMS") == 0
    rig.set("system/PLC1/connected", False)
    rig.scan()
    assert rig.bits("system/PLC1/COMMS") == 3
    rig.set("system/PLC1/connected", True)
    rig.scan()
    rig.set("system/PLC1/connected", True, BAD_NO_COMMUNICATION)
    rig.scan()
    assert rig.bits("system/PLC1/COMMS") == 3


def test_restart_announces_nothing_again() -> None:
    pressure = "t/PT/H"
    alarms = [limit(pressure, 4.0), limit(L, 1.0, unless="t/draining"), comms()]
    types = {"t/draining": "bool", "system/PLC1/connected": "bool"}
    rig = Rig(alarms, types)
    rig.set("t/draining", True)
    rig.set("t/PT", 5.0)
    walk(rig, pressure, [0.5])
    rig.acknowledge(pressure)
    again = Rig(alarms, types)
    again.alarms.restore(rig.alarms.retained())
    again.scan(3)
    assert (again.bits(pressure), again.bits(L), again.events) == (1, 5, [])
    again.alarms.restore({"t/NO": 3, pressure: 99, L: "x"})
    assert (again.bits(pressure), again.bits(L)) == (1, 5)


def test_dead_band_and_delay_hold_over_a_restart() -> None:
    rig = Rig([limit(HH, 4.5, deadband=0.25)])
    walk(rig, HH, [5.0])
    rig.acknowledge(HH)
    again = Rig([limit(HH, 4.5, deadband=0.25)])
    again.alarms.restore(rig.alarms.retained())
    assert walk(again, HH, [4.4, 4.2]) == [1, 0]


def test_alarms_without_anything_and_of_unknown_kind() -> None:
    assert Rig([]).scan() == []
    with pytest.raises(ValueError, match="t/X/H: the kinds are high, low, state, quality"):
        Rig([model.Alarm(path="t/X/H", tag="t/X", kind="deviation")])
    with pytest.raises(KeyError, match="t/gone"):
        Rig([limit("t/X/H", 1.0, unless="t/gone")])


def test_ten_thousand_noisy_tags_take_a_few_milliseconds() -> None:
    rig = Rig([limit(f"t/T{n}/H", 100.0, on_s=5) for n in range(10_000)])
    tags = [rig.index[f"t/T{n}"] for n in range(10_000)]
    for slot in tags:
        rig.signals.status[slot] = 0
    rig.scan()
    noise = iter(range(100))

    def all_change() -> None:
        value = float(next(noise))
        for slot in tags:
            rig.signals.value[slot] = value
        rig.scan()

    assert min(timeit.repeat(all_change, number=1, repeat=5)) < 0.05  # about 5 ms on a quiet machine
    assert min(timeit.repeat(rig.scan, number=1, repeat=5)) < 0.01  # about 0.4 ms: nothing changed
