"""PLC3, the refrigerated truck: an insulated box with frozen goods, a compressor, a door, a round between two depots.

Energy balances of the air in front and at the back, and of the goods; temperatures in degC, heat flows in kW, heat
capacities in kJ/K. Positions in degrees (WGS 84), speed in km/h.

PLC3's program: compressor by start and stop pulses, capacity by a register. In Local the panel sets the capacity and
the register follows. Without heartbeat PLC3 keeps cooling by its own thermostat (on above -17, off below -19 degC) and
the capacity register follows that too.

Registers:
    coils 0/1 C-301 start/stop, 2 reset faults
    discrete 0-2 C-301 run/remote/fault, 3 DS-301 door open, 4 no heartbeat
    holding 0 C-301 capacity (0 … 27648 is 0 … 100 %), 100 heartbeat
    input 0 TT-301, 1 TT-302, 2 TT-300 (0.1 degC, signed), 3 speed (0.1 km/h), 4-5 latitude, 6-7 longitude (float32)
"""

from __future__ import annotations

import math

from scada.simulate.parts import Starter, Wander, approach
from scada.simulate.plant import Plant
from scada.simulate.registers import FULL_SCALE, Registers, counts, percent, signed

COOLING_KW = 9.0  # at full capacity and -18 degC
EVAPORATOR_S = 15.0
WALLS_KW_K = 0.04  # of each half
DOOR_KW_K = 0.1  # through the open door
FAN_KW_K = 0.8  # between front and back while the compressor runs
STILL_KW_K = 0.1
GOODS_KW_K = 0.2  # between goods and each half
AIR_KJ_K = 70.0  # air, floor and ceiling of each half
GOODS_KJ_K = 900.0
AMBIENT_C, SUN_K, SUN_S = 26.0, 5.0, 1800.0
OWN_ON_C, OWN_OFF_C, OWN_CAPACITY = -17.0, -19.0, 70.0
WIRE_BROKEN = 32767

NORTH, SOUTH = (41.72, -0.85), (41.58, -0.94)
ROUTE = (
    NORTH,
    (41.695, -0.868),
    (41.668, -0.862),
    (41.652, -0.885),
    (41.622, -0.902),
    (41.600, -0.918),
    SOUTH,
)
KM_PER_DEGREE = 111.2
CRUISE_KMH = 75.0
PULL_MS2, BRAKE_MS2 = 0.8, 1.0
STOP_S, DOOR_FROM_S, DOOR_TO_S = 70.0, 15.0, 50.0


class Round:
    """The way there and back along `ROUTE` with a stop at every point.

    Attributes:
        latitude: Degrees.
        longitude: Degrees.
        speed: km/h.
        leg: Point of the route that was passed last.
        step_by: 1 on the way south, -1 on the way north.
        along_km: Driven since that point.
        stopped_s: Time since it stopped there.
    """

    def __init__(self) -> None:
        self.latitude, self.longitude = ROUTE[1]
        self.speed = 0.0
        self.leg = 1
        self.step_by = 1
        self.along_km = 0.0
        self.stopped_s = DOOR_TO_S

    @property
    def delivering(self) -> bool:
        """True in the middle of a stop."""
        return self.speed == 0.0 and DOOR_FROM_S <= self.stopped_s < DOOR_TO_S

    def step(self, dt_s: float, held: bool) -> None:
        """Drives or stands for `dt_s` seconds; `held`: a door is open, nobody drives."""
        here, there = ROUTE[self.leg], ROUTE[self.leg + self.step_by]
        length = (
            math.hypot(there[0] - here[0], (there[1] - here[1]) * math.cos(math.radians(41.65)))
            * KM_PER_DEGREE
        )
        if self.stopped_s < STOP_S or (held and self.speed == 0.0):
            self.stopped_s += dt_s
            return
        if held:  # the driver sees the lamp and pulls over
            self.speed = max(0.0, self.speed - 3.6 * BRAKE_MS2 * dt_s)
        else:
            brake = 3.6 * math.sqrt(max(0.0, 2.0 * BRAKE_MS2 * (length - self.along_km) * 1000.0))
            self.speed = max(2.0, min(self.speed + 3.6 * PULL_MS2 * dt_s, CRUISE_KMH, brake))
        self.along_km += self.speed * dt_s / 3600.0
        share = min(1.0, self.along_km / length)
        self.latitude = here[0] + (there[0] - here[0]) * share
        self.longitude = here[1] + (there[1] - here[1]) * share
        if share >= 1.0:
            self.speed, self.along_km, self.stopped_s = 0.0, 0.0, 0.0
            self.leg += self.step_by
            if not 0 < self.leg < len(ROUTE) - 1:
                self.step_by = -self.step_by


class Truck(Plant):
    """The truck.

    Attributes:
        front: Air at the evaporator, degC.
        back: Air at the door, degC.
        goods: degC.
        ambient: Outdoor air with the sun on the box, degC.
        cooling: What the compressor takes out, kW.
        heat: Everything that came in through walls and door since the start, kJ.
        cold: Everything that the compressor took out since the start, kJ.
        door: Set from outside: the door is held open.
    """

    pulses = (0, 1, 2)
    kept = (
        "front", "back", "goods", "ambient", "cooling", "hand", "_time_s", "compressor.on", "compressor.run", "compressor.closing_s",
        "compressor.local", "compressor.fault", "round.latitude", "round.longitude", "round.speed", "round.leg",
        "round.step_by", "round.along_km", "round.stopped_s",
    )  # fmt: skip

    def __init__(self, seed: int = 3) -> None:
        super().__init__(seed, Registers(coils=3, discretes=5, holding=101, inputs=8))
        self.front, self.back, self.goods = -18.2, -16.8, -18.0
        self.ambient = AMBIENT_C
        self.cooling = self.heat = self.cold = 0.0
        self.compressor = Starter()
        self.hand = 50.0
        self.door = False
        self.round = Round()
        self._own = False
        self._time_s = 0.0
        self._weather = Wander(self.dice, 200.0, 0.5)
        self._front_broken = self._back_broken = False
        self.starter_knobs("C-301", self.compressor)
        self.knob("C-301.hand", self, "hand", float)
        self.knob("C-301.door", self, "door")
        self.knob("DS-301.open", self, "door")
        self.knob("TT-301.broken", self, "_front_broken")
        self.knob("TT-302.broken", self, "_back_broken")
        self.registers.holding[0] = signed(0.5 * FULL_SCALE)
        self.measure()

    @property
    def door_open(self) -> bool:
        """Open for a delivery or held open."""
        return self.door or self.round.delivering

    def power_cycle(self) -> None:
        """Compressor off, capacity at zero."""
        super().power_cycle()
        self.compressor.power_cycle()
        self.registers.holding[0] = 0

    def program(self, dt_s: float, pressed: set[int]) -> None:
        """PLC3's program."""
        registers, motor = self.registers, self.compressor
        alone = self.watchdog.tripped and not motor.local
        start, stop = 0 in pressed, 1 in pressed or registers.coils[1]
        if alone:
            mean = (self.front + self.back) / 2.0
            self._own = mean > (OWN_OFF_C if self._own else OWN_ON_C)
            start, stop = self._own and not motor.on, not self._own
        motor.step(dt_s, start, stop, 2 in pressed, permit=True)
        if motor.local or alone:
            registers.holding[0] = signed(counts(self.hand if motor.local else OWN_CAPACITY, 0.0, 100.0))

    def physics(self, dt_s: float) -> None:
        """Heat through walls and door, from the goods, and out through the evaporator."""
        self._time_s += dt_s
        self.round.step(dt_s, held=self.door_open)
        sun = max(0.0, math.sin(2.0 * math.pi * self._time_s / SUN_S))
        self.ambient = AMBIENT_C + SUN_K * sun + self._weather.step(dt_s)
        share = percent(self.registers.holding_signed(0)) / 100.0 if self.compressor.run else 0.0
        colder = max(0.0, 1.0 + 0.02 * (self.front + 18.0))  # a colder evaporator takes less
        self.cooling = approach(self.cooling, COOLING_KW * share * colder, dt_s, EVAPORATOR_S)
        mixing = (FAN_KW_K if self.compressor.run else STILL_KW_K) * (self.back - self.front)
        door = DOOR_KW_K * (self.ambient - self.back) if self.door_open else 0.0
        wall_front = WALLS_KW_K * (self.ambient - self.front)
        wall_back = WALLS_KW_K * (self.ambient - self.back)
        goods_front = GOODS_KW_K * (self.goods - self.front)
        goods_back = GOODS_KW_K * (self.goods - self.back)
        self.front += dt_s / AIR_KJ_K * (wall_front + mixing + goods_front - self.cooling)
        self.back += dt_s / AIR_KJ_K * (wall_back + door - mixing + goods_back)
        self.goods -= dt_s / GOODS_KJ_K * (goods_front + goods_back)
        self.heat += dt_s * (wall_front + wall_back + door)
        self.cold += dt_s * self.cooling

    def measure(self) -> None:
        """Measurements and feedbacks."""
        registers, gauss = self.registers, self.dice.gauss
        registers.input_signed(
            0, WIRE_BROKEN if self._front_broken else 10.0 * (self.front + gauss(0.0, 0.02))
        )
        registers.input_signed(1, WIRE_BROKEN if self._back_broken else 10.0 * (self.back + gauss(0.0, 0.02)))
        registers.input_signed(2, 10.0 * self.ambient)
        registers.inputs[3] = round(10.0 * self.round.speed)
        registers.input_float32(4, self.round.latitude)
        registers.input_float32(6, self.round.longitude)
        registers.discretes[:] = [
            self.compressor.run,
            not self.compressor.local,
            self.compressor.fault,
            self.door_open,
            self.watchdog.tripped,
        ]
