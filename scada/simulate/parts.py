"""What several plants are made of: actuators with travel time, motor starters, the watchdog, disturbances."""

from __future__ import annotations

import math
import random


class Actuator:
    """A valve, damper or drive that moves at a limited speed to what it is told, in %.

    Attributes:
        position: Where it is, 0 … 100 %.
        local: The selector on its panel says Local: `hand` moves it, not the network.
        hand: What the panel asks, %.
        stuck: A fault: it does not move.
    """

    def __init__(self, stroke_s: float, position: float = 0.0) -> None:
        self._speed = 100.0 / stroke_s
        self.position = position
        self._local = False
        self.hand = position
        self.stuck = False

    @property
    def local(self) -> bool:
        """The selector on the panel; turning it to Local takes over the present position."""
        return self._local

    @local.setter
    def local(self, local: bool) -> None:
        if local and not self._local:
            self.hand = self.position
        self._local = local

    def step(self, dt_s: float, target: float) -> None:
        """Moves for `dt_s` seconds towards `target` %, or to `hand` in Local."""
        if self._local:
            target = self.hand
        self.force(dt_s, target)

    def force(self, dt_s: float, target: float) -> None:
        """Moves towards `target` % whatever the selector says: what a trip in the PLC does."""
        if not self.stuck:
            reach = self._speed * dt_s
            self.position += max(-reach, min(reach, max(0.0, min(100.0, target)) - self.position))


class Starter:
    """A motor starter's program: start by pulse, held by the PLC, Stop wins, faults latch.

    Attributes:
        on: The run latch.
        run: Feedback of the contactor.
        local: The selector says Local: start and stop pulses from the network are ignored.
        trouble: The cause of a fault is present.
        fault: Latched; cleared by a reset when the cause is gone.
        no_run: A fault that the PLC does not see: the contactor does not close.
        closing_s: How long the contactor has been pulling in.
        start: Button on the panel (taken at the next step).
        stop: Button on the panel.
        reset: Button on the panel.
    """

    PULL_IN_S = 0.3

    def __init__(self) -> None:
        self.on = False
        self.run = False
        self.local = False
        self.trouble = False
        self.fault = False
        self.no_run = False
        self.start = False
        self.stop = False
        self.reset = False
        self.closing_s = 0.0

    def step(self, dt_s: float, start: bool, stop: bool, reset: bool, permit: bool) -> None:
        """One PLC scan.

        Args:
            dt_s: Seconds since the last scan.
            start: A start pulse came from the network.
            stop: A stop pulse came from the network, or its coil is still set.
            reset: A reset pulse came from the network.
            permit: No trip stands against running.
        """
        if self.local:
            start = stop = False
        start, stop, reset = start or self.start, stop or self.stop, reset or self.reset
        self.start = self.stop = self.reset = False
        if self.trouble:
            self.fault = True
        elif reset:
            self.fault = False
        if start:
            self.on = True
        if stop or self.fault or not permit:
            self.on = False
        self.closing_s = min(self.PULL_IN_S, self.closing_s + dt_s) if self.on and not self.no_run else 0.0
        self.run = self.closing_s >= self.PULL_IN_S

    def power_cycle(self) -> None:
        """The PLC starts again: off, feedback gone; a fault whose cause is present latches again."""
        self.on = self.run = self.fault = self.start = self.stop = self.reset = False
        self.closing_s = 0.0


class Watchdog:
    """Watches a heartbeat register; trips when it stands still for `LIMIT_S` after it has once moved.

    A PLC that never saw a heartbeat does not trip, so that it can be commissioned by hand.
    """

    LIMIT_S = 5.0

    def __init__(self) -> None:
        self._last = 0  # what the register holds after power-up
        self._armed = False
        self._still_s = 0.0

    @property
    def tripped(self) -> bool:
        """True: nobody is there."""
        return self._armed and self._still_s >= self.LIMIT_S

    def step(self, dt_s: float, heartbeat: int) -> None:
        """Looks at the register after another `dt_s` seconds."""
        if heartbeat != self._last:
            self._last, self._armed, self._still_s = heartbeat, True, 0.0
        else:
            self._still_s = min(self._still_s + dt_s, 2 * self.LIMIT_S)


class Wander:
    """A slow disturbance: noise with a time constant (Ornstein-Uhlenbeck), exact for any step, seeded."""

    def __init__(self, dice: random.Random, time_s: float, deviation: float) -> None:
        self._dice = dice
        self._time_s = time_s
        self._deviation = deviation
        self.value = 0.0

    def step(self, dt_s: float) -> float:
        """The value after another `dt_s` seconds; its long-run standard deviation is `deviation`."""
        keep = math.exp(-dt_s / self._time_s)
        self.value = self.value * keep + self._deviation * math.sqrt(1.0 - keep * keep) * self._dice.gauss(
            0.0, 1.0
        )
        return self.value


def approach(value: float, target: float, dt_s: float, time_s: float) -> float:
    """A first-order lag with time constant `time_s`, exact for any step."""
    return target + (value - target) * math.exp(-dt_s / time_s)
