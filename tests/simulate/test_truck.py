"""The refrigerated truck: balances, its round, PLC3's program."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.simulate import truck
from scada.simulate.registers import FULL_SCALE, signed
from scada.simulate.truck import Truck

START, STOP, RESET = range(3)
HEARTBEAT = 100


def on(plant: Truck, discrete: int) -> bool:
    return plant.registers.discretes[discrete]


def run(plant: Truck, seconds: float, dt_s: float = 0.1) -> None:
    for _ in range(round(seconds / dt_s)):
        plant.step(dt_s)


def cooling(capacity: float) -> Truck:
    plant = Truck()
    plant.registers.holding[0] = signed(capacity / 100 * FULL_SCALE)
    plant.registers.write_coils(START, [True])
    run(plant, 0.5)
    plant.registers.write_coils(START, [False])
    return plant


@settings(max_examples=20, deadline=None)
@given(capacity=st.floats(0, 100), door=st.booleans(), seed=st.integers(0, 1000))
def test_heat_in_less_heat_out_is_what_the_box_holds(capacity: float, door: bool, seed: int) -> None:
    plant = Truck(seed)

    def held() -> float:
        return truck.AIR_KJ_K * (plant.front + plant.back) + truck.GOODS_KJ_K * plant.goods

    before = held()
    plant.registers.holding[0] = signed(capacity / 100 * FULL_SCALE)
    plant.registers.write_coils(START, [True])
    plant.turn({"C-301.door": door})
    run(plant, 300)
    assert held() - before == pytest.approx(plant.heat - plant.cold, abs=1e-6)
    assert -60 < plant.front < 40
    assert -60 < plant.back < 40


def test_cooling_cools_and_an_open_door_warms() -> None:
    cold, off = cooling(100), Truck()
    run(cold, 120)
    run(off, 120)
    assert cold.front < off.front - 2
    off.turn({"DS-301.open": True})
    before = off.back
    run(off, 60)
    assert on(off, 3)
    assert off.back > before + 3


def test_it_drives_its_round_and_never_jumps() -> None:
    plant = Truck()
    latitudes, doors = [], set()
    last = (plant.round.latitude, plant.round.longitude)
    for _ in range(3600):
        plant.step(1.0)
        here = (plant.round.latitude, plant.round.longitude)
        assert abs(here[0] - last[0]) * truck.KM_PER_DEGREE * 3600 < 1.1 * truck.CRUISE_KMH
        last = here
        latitudes.append(here[0])
        doors.add(plant.door_open)
        assert not (plant.round.speed > 0 and plant.round.delivering)
    assert max(latitudes) == pytest.approx(truck.NORTH[0], abs=1e-6)
    assert min(latitudes) == pytest.approx(truck.SOUTH[0], abs=1e-6)
    assert doors == {True, False}


def test_nobody_drives_with_the_door_open() -> None:
    plant = Truck()
    run(plant, 120)
    assert plant.round.speed > 50
    plant.turn({"C-301.door": True})
    run(plant, 30)
    assert plant.round.speed == 0
    plant.turn({"C-301.door": False})
    run(plant, 30)
    assert plant.round.speed > 50


def test_position_speed_and_temperatures_are_coded() -> None:
    plant = Truck()
    run(plant, 60)
    inputs = plant.registers.inputs
    latitude, longitude = struct.unpack(">ff", struct.pack(">HHHH", *inputs[4:8]))
    assert latitude == pytest.approx(plant.round.latitude, abs=1e-4)
    assert longitude == pytest.approx(plant.round.longitude, abs=1e-4)
    assert inputs[3] == round(10 * plant.round.speed)
    assert inputs[0] > 0x8000, "below zero"
    assert inputs[0] - 0x10000 == pytest.approx(10 * plant.front, abs=2)
    plant.turn({"TT-301.broken": True})
    run(plant, 0.1)
    assert inputs[0] == truck.WIRE_BROKEN


def test_without_heartbeat_it_cools_by_its_own_thermostat() -> None:
    plant = Truck()
    plant.registers.holding[0] = 0
    plant.registers.holding[HEARTBEAT] = 1
    run(plant, 1)
    assert not on(plant, 0)
    run(plant, 600)
    assert on(plant, 4)
    assert (plant.front + plant.back) / 2 < -14
    ran = {on(plant, 0)}
    for _ in range(600):
        plant.step(1.0)
        ran.add(on(plant, 0))
    assert True in ran
    plant.registers.holding[HEARTBEAT] = 2
    capacity = plant.registers.holding[0]
    run(plant, 0.2)
    assert not on(plant, 4)
    assert plant.registers.holding[0] == capacity, "no bump"


def test_in_local_the_panel_gives_the_capacity() -> None:
    plant = cooling(80)
    plant.turn({"C-301.local": True, "C-301.hand": 30})
    run(plant, 1)
    assert plant.registers.holding[0] == signed(0.3 * FULL_SCALE)
    assert plant.registers.discretes[:2] == [True, False]


def test_it_goes_on_from_where_it_was() -> None:
    plant = cooling(70)
    run(plant, 500)
    again = Truck(99)
    again.load(plant.save())
    assert again.save() == plant.save()
