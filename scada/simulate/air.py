"""PLC2, the air-handling unit: outdoor damper, mixing, heating coil with valve, fan, one zone, a panel on its wall.

Energy balances of coil and zone; temperatures in degC, heat flows in kW, heat capacities in kJ/K. A "day" of the
outdoor wave lasts 40 minutes, so that a newcomer sees one.

PLC2's program: the frost thermostat TSLL-203 stops the fan, closes the damper and opens the valve, also in Local. In
Local the panel moves a unit and its output register follows. Without heartbeat PLC2 holds. The wall panel and the
network share the set point register (holding 30, tenths of a degree); the last one to write wins.

Registers:
    coils 0/1 F-201 start/stop, 2 reset faults, 3 FD-201 open
    discrete 0 TV-201 remote, 1-3 F-201 run/remote/fault, 4/5 FD-201 opened/closed, 6 TSLL-203, 7 FD-201 remote, 8 no heartbeat
    holding 0 TV-201 (0 … 27648 is 0 … 100 %), 30 set point (0.1 degC), 100 heartbeat
    input 0 TT-200 -40-60 degC, 1 TT-201 0-50 degC, 2 TT-202 -20-80 degC, 3 TV-201 position 0-100 %
"""

from __future__ import annotations

import math

from scada.simulate.parts import Actuator, Starter, Wander, approach
from scada.simulate.plant import Plant
from scada.simulate.registers import FULL_SCALE, Registers, counts, percent, signed

VALVE_STROKE_S = 30.0
DAMPER_STROKE_S = 15.0
FAN_S = 3.0  # time constant of the run-up
AIR_KW_K = 1.0  # heat carried by the air at full fan speed
LEAK = 0.02  # of it, with the fan standing
FRESH = 0.65  # share of outdoor air with the damper open
FRESH_CLOSED = 0.05
COIL_KW_K = 1.0  # from hot water to air, valve open
COIL_KJ_K = 12.0
DUCT_KW_K = 0.05  # from the coil's casing to the zone
WATER_C = 60.0
ZONE_KJ_K = 250.0
WALLS_KW_K = 0.2
PEOPLE_KW = 1.0
OUTDOOR_C, SWING_K, DAY_S = 3.0, 5.0, 2400.0
FROST_C, FROST_OFF_C = 4.0, 9.0
SET_POINT = 30
PANEL_LIMITS = (15.0, 26.0)


class Air(Plant):
    """The air-handling unit and its zone.

    Attributes:
        zone: Temperature of the zone, degC.
        supply: Temperature behind the coil, degC.
        outdoor: degC.
        heat: From the hot water into the air, kW.
        outdoor_pinned: Set from outside: the outdoor temperature stands here; None lets it wander.
    """

    pulses = (0, 1, 2)
    kept = (
        "zone", "supply", "outdoor", "flow", "_time_s", "fan.on", "fan.run", "fan.closing_s", "fan.local", "fan.fault", "valve.position",
        "valve.local", "valve.hand", "damper.position", "damper.local", "damper.hand",
    )  # fmt: skip

    def __init__(self, seed: int = 2) -> None:
        super().__init__(seed, Registers(coils=4, discretes=9, holding=101, inputs=4))
        self.zone = 19.0
        self.supply = 24.0
        self.outdoor = OUTDOOR_C
        self.outdoor_pinned: float | None = None
        self.heat = 0.0
        self.fan = Starter()
        self.flow = 0.0
        self.valve = Actuator(VALVE_STROKE_S, position=40.0)
        self.damper = Actuator(DAMPER_STROKE_S)
        self.frost = False
        self._time_s = 0.0
        self._weather = Wander(self.dice, 120.0, 0.4)
        self._people = Wander(self.dice, 300.0, 0.3)
        self._outdoor_sensor = self.sensor("TT-200", 0, -40.0, 60.0, 0.01)
        self._zone_sensor = self.sensor("TT-201", 1, 0.0, 50.0, 0.005)
        self._supply_sensor = self.sensor("TT-202", 2, -20.0, 80.0, 0.02)
        self.starter_knobs("F-201", self.fan)
        for name, actuator in (("TV-201", self.valve), ("FD-201", self.damper)):
            self.knob(f"{name}.local", actuator, "local")
            self.knob(f"{name}.stuck", actuator, "stuck")
        self.knob("TV-201.hand", self.valve, "hand", float)
        self.knob("FD-201.hand", self, "damper_hand")
        self.knob("TIC-201.panel", self, "panel", float)
        self.knob("TT-200.outdoor", self, "outdoor_pinned", float)
        self.registers.holding[0] = signed(0.40 * FULL_SCALE)
        self.panel = 20.0
        self.measure()

    @property
    def panel(self) -> float | None:
        """What the wall panel shows: the set point in force, degC."""
        return self.registers.holding_signed(SET_POINT) / 10.0

    @panel.setter
    def panel(self, value: float | None) -> None:
        if value is not None:
            low, high = PANEL_LIMITS
            self.registers.holding[SET_POINT] = signed(10.0 * max(low, min(high, value)))

    @property
    def damper_hand(self) -> bool:
        """What the damper's panel asks: open."""
        return self.damper.hand > 50.0

    @damper_hand.setter
    def damper_hand(self, opened: bool) -> None:
        self.damper.hand = 100.0 if opened else 0.0

    def power_cycle(self) -> None:
        """Fan off, damper closed; valve output and set point are in retentive memory."""
        super().power_cycle()
        self.fan.power_cycle()

    def program(self, dt_s: float, pressed: set[int]) -> None:
        """PLC2's program."""
        registers = self.registers
        self.frost = self.supply < (FROST_OFF_C if self.frost else FROST_C)
        self.fan.step(dt_s, 0 in pressed, 1 in pressed or registers.coils[1], 2 in pressed, not self.frost)
        if self.frost:
            self.valve.force(dt_s, 100.0)
            self.damper.force(dt_s, 0.0)
        else:
            self.valve.step(dt_s, percent(registers.holding_signed(0)))
            self.damper.step(dt_s, 100.0 if registers.coils[3] else 0.0)
        if self.valve.local:
            registers.holding[0] = signed(counts(self.valve.position, 0.0, 100.0))
        if self.damper.local:
            registers.coils[3] = self.damper.position > 50.0

    def physics(self, dt_s: float) -> None:
        """Heat from the water to the coil, on with the air into the zone, out through the walls."""
        self._time_s += dt_s
        wave = OUTDOOR_C - SWING_K * math.sin(2.0 * math.pi * self._time_s / DAY_S) + self._weather.step(dt_s)
        target = wave if self.outdoor_pinned is None else self.outdoor_pinned
        self.outdoor = approach(self.outdoor, target, dt_s, 10.0)
        self.flow = approach(self.flow, 1.0 if self.fan.run else 0.0, dt_s, FAN_S)
        carried = AIR_KW_K * (LEAK + (1.0 - LEAK) * self.flow)
        opening = self.damper.position / 100.0
        fresh = FRESH_CLOSED + (FRESH - FRESH_CLOSED) * opening
        mixed = self.zone + fresh * (self.outdoor - self.zone)

        self.heat = COIL_KW_K * self.valve.position / 100.0 * (WATER_C - self.supply)
        into_zone = carried * (self.supply - self.zone)
        lost = DUCT_KW_K * (self.supply - self.zone)
        self.supply += dt_s / COIL_KJ_K * (self.heat - carried * (self.supply - mixed) - lost)
        people = PEOPLE_KW + self._people.step(dt_s)
        self.zone += dt_s / ZONE_KJ_K * (into_zone + lost + people - WALLS_KW_K * (self.zone - self.outdoor))

    def measure(self) -> None:
        """Measurements and feedbacks."""
        registers = self.registers
        self._outdoor_sensor.put(self.outdoor)
        self._zone_sensor.put(self.zone)
        self._supply_sensor.put(self.supply)
        registers.input_signed(3, counts(self.valve.position, 0.0, 100.0))
        registers.discretes[:] = [
            not self.valve.local,
            self.fan.run,
            not self.fan.local,
            self.fan.fault,
            self.damper.position > 98.0,
            self.damper.position < 2.0,
            self.frost,
            not self.damper.local,
            self.watchdog.tripped,
        ]
