"""PLC1, the water station: tank, inlet valve, two pumps with variable speed, pressure vessel, a town that draws.

Mass balance of the tank, centrifugal pumps by the affinity laws, isothermal air cushion in the vessel, draw by the
square root of pressure. Flows in m3/h, pressures in bar (gauge), speeds and positions in %.

PLC1's program: LSHH-101 closes LV-101 and LSLL-102 stops the pumps, also in Local. In Local the panel moves a unit,
and its set point register follows what it does, so that the return to Remote makes no bump. Without heartbeat
PLC1 holds: registers stay in force, pumps run on.

Registers:
    coils 0/1 P-101 start/stop, 2/3 P-102 start/stop, 4 reset faults
    discrete 0 LV-101 remote, 1-3 P-101 run/remote/fault, 4-6 P-102 run/remote/fault, 7 LSHH-101, 8 LSLL-102, 9 no heartbeat
    holding 0 LV-101, 1 P-101 speed, 2 P-102 speed (0 … 27648 is 0 … 100 %), 100 heartbeat
    input 0 LT-101 0-5 m, 1 PT-103 0-10 bar, 2 FT-104 0-50 m3/h, 3 LV-101 position, 4/5 P-101/P-102 speed 0-100 %,
    6 FT-105 0-50 m3/h, 8-9 FQ-104 litres (uint32)
"""

from __future__ import annotations

import math

from scada.simulate.parts import Actuator, Starter, Wander
from scada.simulate.plant import Plant
from scada.simulate.registers import FULL_SCALE, Registers, counts, percent, signed

AREA_M2 = 2.0
HEIGHT_M = 5.0
INLET_MAX_M3H = 40.0  # LV-101 open at nominal supply pressure
SUPPLY_BAR = 2.0
STROKE_S = 30.0

HEAD_BAR = 8.0  # of a pump at full speed without flow
FALL_BAR = 0.0043  # head lost per (m3/h)^2
RUN_UP_S = 6.0  # from standstill to full speed

VESSEL_M3 = 2.0
PRECHARGE_BAR = 1.5
ATMOSPHERE_BAR = 1.013
CUSHION = (PRECHARGE_BAR + ATMOSPHERE_BAR) * VESSEL_M3  # p * V of the air, constant

DRAW_M3H = 12.0  # mean draw at 4 bar
HIGH_HIGH_M, HIGH_HIGH_OFF_M = 4.75, 4.65
LOW_LOW_M, LOW_LOW_OFF_M = 0.30, 0.50


class Pump:
    """A centrifugal pump with starter and variable-speed drive."""

    def __init__(self) -> None:
        self.starter = Starter()
        self.drive = Actuator(RUN_UP_S)
        self.flow = 0.0
        self.hand = 90.0

    @property
    def local(self) -> bool:
        """The selector; turning it to Local takes over the speed of a running pump."""
        return self.starter.local

    @local.setter
    def local(self, local: bool) -> None:
        if local and not self.starter.local and self.starter.run:
            self.hand = self.drive.position
        self.starter.local = local

    def pressure(self) -> float:
        """Head at no flow by the affinity law (the square of the speed), bar."""
        return HEAD_BAR * (self.drive.position / 100.0) ** 2


class Water(Plant):
    """The water station.

    Attributes:
        level: In the tank, m.
        stored: Water in the vessel, m3.
        volume_in: Water that came in since the start, m3.
        volume_out: Water that the town took since the start, m3.
        spilled: Water lost over the rim, m3.
    """

    pulses = (0, 1, 2, 3, 4)
    kept = (
        "level", "stored", "volume_in", "volume_out", "spilled", "_litres", "_time_s", "inlet.position", "inlet.local",
        "inlet.hand",
        "pumps.0.drive.position", "pumps.0.hand", "pumps.0.starter.on", "pumps.0.starter.run", "pumps.0.starter.closing_s",
        "pumps.0.starter.local", "pumps.0.starter.fault",
        "pumps.1.drive.position", "pumps.1.hand", "pumps.1.starter.on", "pumps.1.starter.run", "pumps.1.starter.closing_s",
        "pumps.1.starter.local", "pumps.1.starter.fault",
    )  # fmt: skip

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed, Registers(coils=5, discretes=10, holding=101, inputs=10))
        self.level = 2.0
        self.stored = VESSEL_M3 - CUSHION / (3.3 + ATMOSPHERE_BAR)
        self.inlet = Actuator(STROKE_S, position=30.0)
        self.pumps = (Pump(), Pump())
        self.draw = 0.0
        self.inflow = 0.0
        self.volume_in = self.volume_out = self.spilled = 0.0
        self.high_high = self.low_low = False
        self.extra = 0.0
        self._time_s = 0.0
        self._litres = 0.0
        self._fire_s = 240.0
        self._supply = Wander(self.dice, 60.0, 0.1)
        self._town = Wander(self.dice, 40.0, 0.08)
        self._level_sensor = self.sensor("LT-101", 0, 0.0, HEIGHT_M, 0.0005)
        self._pressure_sensor = self.sensor("PT-103", 1, 0.0, 10.0, 0.005)
        self._draw_sensor = self.sensor("FT-104", 2, 0.0, 50.0, 0.05)
        self._inflow_sensor = self.sensor("FT-105", 6, 0.0, 50.0, 0.05)
        self.knob("LV-101.local", self.inlet, "local")
        self.knob("LV-101.hand", self.inlet, "hand", float)
        self.knob("LV-101.stuck", self.inlet, "stuck")
        self.knob("FT-104.extra", self, "extra", float)
        for name, pump in zip(("P-101", "P-102"), self.pumps, strict=True):
            self.starter_knobs(name, pump.starter)
            self.knob(f"{name}.local", pump, "local")
            self.knob(f"{name}.hand", pump, "hand", float)
        self.registers.holding[0] = signed(0.30 * FULL_SCALE)
        self.measure()

    @property
    def pressure(self) -> float:
        """In the vessel, bar."""
        return CUSHION / (VESSEL_M3 - self.stored) - ATMOSPHERE_BAR

    def power_cycle(self) -> None:
        """Motors off, counter and registers at zero; the valve closes."""
        super().power_cycle()
        for pump in self.pumps:
            pump.starter.power_cycle()
        self.registers.holding[:3] = [0, 0, 0]
        self._litres = 0.0

    def program(self, dt_s: float, pressed: set[int]) -> None:
        """PLC1's program."""
        registers = self.registers
        self.high_high = self.level > (HIGH_HIGH_OFF_M if self.high_high else HIGH_HIGH_M)
        self.low_low = self.level < (LOW_LOW_OFF_M if self.low_low else LOW_LOW_M)
        if self.high_high:
            self.inlet.force(dt_s, 0.0)
        else:
            self.inlet.step(dt_s, percent(registers.holding_signed(0)))
        if self.inlet.local:
            registers.holding[0] = signed(counts(self.inlet.position, 0.0, 100.0))
        for i, pump in enumerate(self.pumps):
            start, stop = 2 * i, 2 * i + 1
            pump.starter.step(
                dt_s,
                start in pressed,
                stop in pressed or registers.coils[stop],
                4 in pressed,
                not self.low_low,
            )
            asked = pump.hand if pump.starter.local else percent(registers.holding_signed(1 + i))
            pump.drive.step(dt_s, asked if pump.starter.run else 0.0)
            if pump.starter.local:
                registers.holding[1 + i] = signed(counts(pump.hand, 0.0, 100.0))

    def physics(self, dt_s: float) -> None:
        """Flows of the next `dt_s` seconds and what they leave in tank and vessel."""
        self._time_s += dt_s
        hours = dt_s / 3600.0
        supply = max(0.2, SUPPLY_BAR + self._supply.step(dt_s))
        self.inflow = INLET_MAX_M3H * self.inlet.position / 100.0 * math.sqrt(supply / SUPPLY_BAR)
        pressure = self.pressure
        available = max(0.0, self.level - 0.02) * AREA_M2 / hours
        for pump in self.pumps:
            surplus = pump.pressure() + 0.0981 * self.level - pressure
            pump.flow = (
                min(math.sqrt(surplus / FALL_BAR), available / 2) if surplus > 0 else 0.0
            )  # check valve
        lifted = self.pumps[0].flow + self.pumps[1].flow
        self.draw = min(
            self._demand(dt_s) * math.sqrt(max(0.0, pressure) / 4.0), lifted + self.stored / hours
        )

        self.level += (self.inflow - lifted) * hours / AREA_M2
        if self.level > HEIGHT_M:
            self.spilled += (self.level - HEIGHT_M) * AREA_M2
            self.level = HEIGHT_M
        self.stored += (lifted - self.draw) * hours
        self.volume_in += self.inflow * hours
        self.volume_out += self.draw * hours
        self._litres += self.draw * hours * 1000.0

    def _demand(self, dt_s: float) -> float:
        """What the town would draw at 4 bar, m3/h: slow waves, noise, now and then a large consumer."""
        self._fire_s -= dt_s
        if self._fire_s < -50.0:
            self._fire_s = self.dice.uniform(180.0, 500.0)
        wave = 0.25 * math.sin(2.0 * math.pi * self._time_s / 900.0) + self._town.step(dt_s)
        return max(0.0, DRAW_M3H * (1.0 + wave) + (7.0 if self._fire_s < 0.0 else 0.0) + self.extra)

    def measure(self) -> None:
        """Measurements, feedbacks, counter."""
        registers = self.registers
        self._level_sensor.put(self.level)
        self._pressure_sensor.put(self.pressure)
        self._draw_sensor.put(self.draw)
        self._inflow_sensor.put(self.inflow)
        registers.input_signed(3, counts(self.inlet.position, 0.0, 100.0))
        discretes = registers.discretes
        discretes[0] = not self.inlet.local
        for i, pump in enumerate(self.pumps):
            registers.input_signed(4 + i, counts(pump.drive.position, 0.0, 100.0))
            discretes[1 + 3 * i] = pump.starter.run
            discretes[2 + 3 * i] = not pump.starter.local
            discretes[3 + 3 * i] = pump.starter.fault
        discretes[7] = self.high_high
        discretes[8] = self.low_low
        discretes[9] = self.watchdog.tripped
        registers.input_uint32(8, int(self._litres))
