"""The water station: balances, PLC1's program, its panel."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.simulate import water
from scada.simulate.registers import FULL_SCALE, signed
from scada.simulate.water import Water

VALVE, SPEED_1, SPEED_2, HEARTBEAT = 0, 1, 2, 100
START_1, STOP_1, START_2, STOP_2, RESET = range(5)


def raw(percent: float) -> int:
    return signed(percent / 100 * FULL_SCALE)


def on(plant: Water, discrete: int) -> bool:
    return plant.registers.discretes[discrete]


def run(plant: Water, seconds: float, dt_s: float = 0.1) -> None:
    for _ in range(round(seconds / dt_s)):
        plant.step(dt_s)


def pulse(plant: Water, *coils: int, seconds: float = 0.5) -> None:
    for coil in coils:
        plant.registers.write_coils(coil, [True])
    run(plant, seconds)
    for coil in coils:
        plant.registers.write_coils(coil, [False])


def started(pump: int = 0) -> Water:
    plant = Water()
    plant.registers.holding[SPEED_1 + pump] = raw(90)
    pulse(plant, 2 * pump)
    return plant


@settings(max_examples=25, deadline=None)
@given(
    valve=st.floats(0, 100),
    speed=st.floats(0, 100),
    extra=st.floats(-30, 60),
    start=st.floats(0, water.HEIGHT_M),
    dt_s=st.sampled_from([0.05, 0.1, 0.3]),
    seed=st.integers(0, 1000),
)
def test_no_water_is_made_or_lost(
    valve: float, speed: float, extra: float, start: float, dt_s: float, seed: int
) -> None:
    plant = Water(seed)
    plant.level = start
    plant.extra = extra
    plant.registers.holding[VALVE] = raw(valve)
    plant.registers.holding[SPEED_1] = plant.registers.holding[SPEED_2] = raw(speed)
    held = plant.level * water.AREA_M2 + plant.stored
    pulse(plant, START_1, START_2)
    run(plant, 60, dt_s)
    now = plant.level * water.AREA_M2 + plant.stored
    assert now + plant.volume_out + plant.spilled == pytest.approx(held + plant.volume_in, abs=1e-9)
    assert 0 <= plant.level <= water.HEIGHT_M
    assert -1e-9 <= plant.stored < water.VESSEL_M3
    assert plant.draw >= 0


def test_the_same_seed_gives_the_same_registers_and_another_seed_does_not() -> None:
    plants = [Water(7), Water(7), Water(8)]
    for plant in plants:
        run(plant, 30)
    assert plants[0].registers.inputs == plants[1].registers.inputs
    assert plants[0].registers.inputs != plants[2].registers.inputs


def test_a_pump_obeys_the_affinity_laws() -> None:
    plant = Water()
    pump = plant.pumps[0]
    pump.drive.position = 100.0
    full = pump.pressure()
    pump.drive.position = 50.0
    assert pump.pressure() == pytest.approx(full / 4)


def test_a_pump_raises_the_pressure_and_lowers_the_tank() -> None:
    plant = started()
    plant.registers.holding[VALVE] = 0
    plant.inlet.position = 0.0
    pressure, level = plant.pressure, plant.level
    run(plant, 30)
    assert plant.pressure > pressure
    assert plant.level < level
    assert on(plant, 1)


def test_the_valve_needs_its_travel_time() -> None:
    plant = Water()
    plant.registers.holding[VALVE] = raw(100)
    run(plant, 3)
    assert plant.inlet.position == pytest.approx(40, abs=1)
    run(plant, water.STROKE_S)
    assert plant.inlet.position == 100


def test_start_is_latched_and_stop_wins() -> None:
    plant = started()
    assert on(plant, 1)
    run(plant, 5)
    assert on(plant, 1), "held by the PLC"
    pulse(plant, START_1, STOP_1)
    assert not on(plant, 1)
    run(plant, 5)
    assert not on(plant, 1), "the start pulse is spent"


def test_a_pulse_shorter_than_a_scan_counts() -> None:
    plant = Water()
    plant.registers.write_coils(START_1, [True])
    plant.registers.write_coils(START_1, [False])
    run(plant, 1)
    assert on(plant, 1)


def test_a_forgotten_coil_is_cleared_and_does_not_start_again() -> None:
    plant = Water()
    plant.registers.write_coils(START_1, [True])
    run(plant, 3)
    assert not plant.registers.coils[START_1]
    pulse(plant, STOP_1)
    run(plant, 3)
    assert not on(plant, 1)


def test_dry_run_stops_the_pumps_and_refuses_a_start() -> None:
    plant = started()
    plant.level = 0.2
    run(plant, 0.2)
    assert on(plant, 8)
    assert not on(plant, 1)
    pulse(plant, START_1)
    assert not on(plant, 1)
    plant.level = 1.0
    run(plant, 5)
    assert not on(plant, 1), "it starts when it is asked again, not by itself"
    pulse(plant, START_1)
    assert on(plant, 1)


def test_high_high_closes_the_inlet_also_in_local() -> None:
    plant = Water()
    plant.turn({"LV-101.local": True, "LV-101.hand": 80})
    run(plant, 30)
    plant.level = 4.8
    run(plant, 30)
    assert on(plant, 7)
    assert plant.inlet.position == 0


def test_in_local_the_panel_moves_the_valve_and_the_register_follows() -> None:
    plant = Water()
    run(plant, 1)
    before = plant.inlet.position
    plant.turn({"LV-101.local": True})
    plant.registers.holding[VALVE] = raw(90)
    run(plant, 5)
    assert plant.inlet.position == pytest.approx(before, abs=0.1), (
        "nothing moves by the switch, writes are ignored"
    )
    assert not on(plant, 0)
    plant.turn({"LV-101.hand": 60})
    run(plant, 30)
    assert plant.registers.holding[VALVE] == raw(60)
    plant.turn({"LV-101.local": False})
    run(plant, 5)
    assert plant.inlet.position == pytest.approx(60, abs=0.1), "the return makes no bump"


def test_a_pump_in_local_ignores_the_network_and_runs_from_its_panel() -> None:
    plant = Water()
    plant.turn({"P-101.local": True})
    pulse(plant, START_1)
    assert not on(plant, 1)
    plant.turn({"P-101.start": True, "P-101.hand": 50})
    run(plant, 10)
    assert on(plant, 1)
    assert plant.pumps[0].drive.position == pytest.approx(50)
    pulse(plant, STOP_1)
    assert on(plant, 1)
    plant.turn({"P-101.local": False})
    run(plant, 2)
    assert plant.pumps[0].drive.position == pytest.approx(50, abs=0.1)


def test_a_fault_latches_until_it_is_reset_with_its_cause_gone() -> None:
    plant = started()
    plant.turn({"P-101.fault": True})
    run(plant, 0.2)
    assert on(plant, 3)
    assert not on(plant, 1)
    pulse(plant, RESET)
    assert on(plant, 3), "the cause is there"
    plant.turn({"P-101.fault": False})
    run(plant, 1)
    assert on(plant, 3)
    pulse(plant, RESET)
    assert not on(plant, 3)
    assert not on(plant, 1)


def test_a_contactor_that_does_not_close_gives_no_run() -> None:
    plant = Water()
    plant.turn({"P-101.no_run": True})
    pulse(plant, START_1)
    run(plant, 5)
    assert not on(plant, 1)


def test_without_heartbeat_it_says_so_and_holds() -> None:
    plant = started()
    plant.registers.holding[VALVE] = raw(50)
    run(plant, 20)
    assert not on(plant, 9), "a PLC that never saw a heartbeat does not trip"
    plant.registers.holding[HEARTBEAT] = 1
    run(plant, 4.5)
    assert not on(plant, 9)
    run(plant, 1)
    assert on(plant, 9)
    assert on(plant, 1)
    assert plant.inlet.position == pytest.approx(50, abs=0.1)
    plant.registers.holding[HEARTBEAT] = 2
    run(plant, 0.2)
    assert not on(plant, 9)


def test_power_loss_stops_motors_and_resets_the_counter() -> None:
    plant = started()
    run(plant, 60)
    assert plant.registers.inputs[9] > 0
    level = plant.level
    plant.power_cycle()
    run(plant, 0.1)
    assert plant.registers.inputs[8:10] == [0, 0]
    assert not on(plant, 1)
    assert plant.registers.holding[:3] == [0, 0, 0]
    assert plant.level == pytest.approx(level, abs=0.01)


def test_a_broken_wire_shows_as_one() -> None:
    plant = Water()
    plant.turn({"LT-101.broken": True})
    run(plant, 0.1)
    assert plant.registers.inputs[0] == 0x8000


def test_it_lives_on_after_its_simulator_starts_again() -> None:
    plant = started()
    plant.turn({"P-102.local": True, "LV-101.local": True, "LV-101.hand": 70})
    run(plant, 60)
    again = Water(99)
    again.load(orjson.loads(orjson.dumps(plant.save())))
    assert again.save() == plant.save()
    run(again, 0.2)
    assert on(again, 1)
    assert not on(again, 0)
    assert again.level == pytest.approx(plant.level, abs=0.01)
    assert again.pumps[0].drive.position == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize(
    "wrong", [{}, {"parts": {}}, {"holding": [1], "coils": [], "parts": {}}, {"level": 3.0}]
)
def test_a_state_of_another_version_is_not_taken_up_by_halves(wrong: dict[str, object]) -> None:
    plant = Water()
    before = plant.save()
    with pytest.raises(ValueError, match="another version"):
        plant.load({**before, **wrong} if "parts" in wrong else wrong)
    assert plant.save() == before
