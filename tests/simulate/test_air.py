"""The air-handling unit: balances, PLC2's program, the wall panel."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.simulate import air
from scada.simulate.air import Air
from scada.simulate.registers import FULL_SCALE, signed

START, STOP, RESET, DAMPER = range(4)


def on(plant: Air, discrete: int) -> bool:
    return plant.registers.discretes[discrete]


def run(plant: Air, seconds: float, dt_s: float = 0.1) -> None:
    for _ in range(round(seconds / dt_s)):
        plant.step(dt_s)


def running(valve: float = 50.0) -> Air:
    plant = Air()
    plant.registers.holding[0] = signed(valve / 100 * FULL_SCALE)
    plant.registers.write_coils(START, [True])
    run(plant, 0.5)
    plant.registers.write_coils(START, [False])
    plant.registers.write_coils(DAMPER, [True])
    run(plant, 20)
    return plant


@settings(max_examples=20, deadline=None)
@given(valve=st.floats(0, 100), fan=st.booleans(), outdoor=st.floats(-30, 40), seed=st.integers(0, 1000))
def test_temperatures_stay_between_the_coldest_and_the_hottest(
    valve: float, fan: bool, outdoor: float, seed: int
) -> None:
    plant = Air(seed)
    plant.turn({"TT-200.outdoor": outdoor})
    plant.registers.holding[0] = signed(valve / 100 * FULL_SCALE)
    plant.registers.coils[DAMPER] = True
    if fan:
        plant.registers.write_coils(START, [True])
    run(plant, 300)
    low, high = min(outdoor, 3.0) - 1, air.WATER_C
    assert low <= plant.supply <= high
    assert low <= plant.zone <= high + 20  # people heat too


def test_at_rest_the_zone_takes_what_the_walls_lose() -> None:
    plant = running(valve=60)
    plant.turn({"TT-200.outdoor": 3.0})
    run(plant, 4000, dt_s=1.0)
    carried = plant.flow * air.AIR_KW_K + air.DUCT_KW_K
    gained = carried * (plant.supply - plant.zone) + air.PEOPLE_KW
    assert gained == pytest.approx(air.WALLS_KW_K * (plant.zone - plant.outdoor), abs=1.0)


def test_more_heating_is_warmer_and_an_open_damper_is_colder() -> None:
    warm, cool = running(valve=80), running(valve=30)
    run(warm, 120)
    run(cool, 120)
    assert warm.zone > cool.zone
    closed = running(valve=80)
    closed.registers.coils[DAMPER] = False
    run(closed, 120)
    assert closed.supply > warm.supply


def test_the_damper_reports_its_ends() -> None:
    plant = Air()
    assert plant.registers.discretes[4:6] == [False, True]
    plant.registers.coils[DAMPER] = True
    run(plant, 7)
    assert plant.registers.discretes[4:6] == [False, False]
    run(plant, 10)
    assert plant.registers.discretes[4:6] == [True, False]


def test_the_frost_thermostat_stops_the_fan_and_opens_the_valve() -> None:
    plant = running(valve=0)
    plant.turn({"TV-201.local": True, "TV-201.hand": 0, "TT-200.outdoor": -15})
    seen: list[tuple[bool, float]] = []
    for _ in range(180):
        plant.step(1.0)
        seen.append((on(plant, 6), plant.valve.position))
    assert any(frost for frost, _ in seen)
    assert max(position for _, position in seen) > 5
    assert plant.supply > air.FROST_C
    assert not on(plant, 1), "the fan waits for a start"


def test_panel_and_network_share_the_set_point() -> None:
    plant = Air()
    plant.turn({"TIC-201.panel": 22.5})
    assert plant.registers.holding[air.SET_POINT] == 225
    plant.registers.holding[air.SET_POINT] = 180
    assert plant.panel == 18.0
    plant.turn({"TIC-201.panel": 99})
    assert plant.registers.holding[air.SET_POINT] == 260


def test_in_local_the_outputs_follow() -> None:
    plant = running(valve=50)
    plant.turn({"FD-201.local": True, "FD-201.hand": False})
    run(plant, 20)
    assert not plant.registers.coils[DAMPER]
    assert on(plant, 5)
    plant.turn({"TV-201.local": True, "TV-201.hand": 75})
    run(plant, 20)
    assert plant.registers.holding[0] == signed(0.75 * FULL_SCALE)


def test_power_loss_keeps_set_point_and_output() -> None:
    plant = running()
    plant.turn({"TIC-201.panel": 22.5})
    plant.power_cycle()
    run(plant, 20)
    assert not on(plant, 1)
    assert on(plant, 5), "the damper closes"
    assert plant.registers.holding[air.SET_POINT] == 225


def test_the_same_seed_gives_the_same_day() -> None:
    one, other = Air(5), Air(5)
    run(one, 60)
    run(other, 60)
    assert one.registers.inputs == other.registers.inputs


def test_it_goes_on_from_where_it_was() -> None:
    plant = running(60)
    plant.turn({"TIC-201.panel": 23.0, "FD-201.local": True})
    run(plant, 100)
    again = Air(99)
    again.load(plant.save())
    assert again.save() == plant.save()
    assert again.panel == 23.0
