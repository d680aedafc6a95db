"""Step responses of the PID against solutions that share no code with it.

The plant is of first order, T y' + y = k u, so everything is linear while no limit acts, and both solutions are exact:
of the discrete loop by its matrix, of the continuous loop by eigenvalues. The first must agree to rounding;
the distance to the second is the error of sampling, which the manual states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.blocks.rig import SECOND, Rig, pid

Array = npt.NDArray[np.float64]
STEP = 10.0  # of the set point, %
START = 40.0


@dataclass(frozen=True)
class Loop:
    """A controller and its plant.

    Attributes:
        gain: K.
        ti: Ti, s.
        td: Td, s.
        plant: k.
        time: T, s.
        dt: Sampling time, s.
        parallel: The form.
    """

    gain: float
    ti: float
    td: float = 0.0
    plant: float = 1.0
    time: float = 20.0
    dt: float = 0.2
    parallel: bool = False

    @property
    def ki(self) -> float:
        """Integral gain, 1/s."""
        return 1.0 / self.ti if self.parallel else self.gain / self.ti

    @property
    def kd(self) -> float:
        """Derivative gain, s."""
        return self.td if self.parallel else self.gain * self.td

    @property
    def tf(self) -> float:
        """Time constant of the derivative filter, s."""
        return self.kd / self.gain / 10.0

    def simulate(self, count: int) -> Array:
        """The block itself, in a loop with the plant sampled exactly."""
        period = round(self.dt * SECOND)
        rig = Rig(
            [
                pid(
                    form="parallel" if self.parallel else "ideal",
                    gain=self.gain,
                    ti_ns=self.ti * SECOND,
                    td_ns=self.td * SECOND,
                    sp_initial=START,
                    out_low=-1e15,
                    out_high=1e15,
                )
            ],
            {"t/PV": {"range": (0.0, 100.0)}, "t/OUT": {"range": (0.0, 100.0)}},
            period,
        )
        y, decay = START, math.exp(-self.dt / self.time)
        rig.set("t/PV", y)
        rig.ready(**{"t/OUT": START / self.plant})
        rig.scan()
        rig.write("t/LIC/SP", START + STEP)
        seen = []
        for _ in range(count):
            rig.set("t/PV", y)
            rig.scan()
            seen.append(y)
            y = decay * y + (1.0 - decay) * self.plant * rig.applied("t/OUT")
        return np.array(seen) - START

    def discrete(self, count: int) -> Array:
        """The same loop as x(n + 1) = A x(n) + B, x = (y, y before, integral, derivative), from a step of the set point."""
        a = math.exp(-self.dt / self.time)
        b = (1.0 - a) * self.plant
        ki, kd, tf = self.ki * self.dt, self.kd, self.tf
        f, g = (tf / (tf + self.dt), kd / (tf + self.dt)) if kd else (0.0, 0.0)
        # u = K (r - y) + i + ki (r - y) - (f d + g (y - before))
        u = np.array([-self.gain - ki - g, g, 1.0, -f])
        u_r = self.gain + ki
        matrix = np.array([[a, 0, 0, 0] + b * u, [1, 0, 0, 0], [-ki, 0, 1, 0], [g, -g, 0, f]])
        drive = np.array([b * u_r, 0.0, ki, 0.0]) * STEP
        found, x = np.zeros(count), np.zeros(4)
        for n in range(count):
            found[n] = x[0]
            x = matrix @ x + drive
        return found

    def continuous(self, count: int) -> Array:
        """The loop without sampling: x' = A x + B r by eigenvalues, x = (y, integral, filtered y)."""
        k, t = self.plant, self.time
        d = self.kd / self.tf if self.kd else 0.0
        filtered = [1.0 / self.tf, 0.0, -1.0 / self.tf] if self.kd else [0.0, 0.0, -1.0]
        u = np.array([-self.gain - d, 1.0, d])
        matrix = np.array([np.array([-1.0, 0, 0]) / t + k / t * u, [-self.ki, 0, 0], filtered])
        drive = np.array([k / t * self.gain, self.ki, 0.0]) * STEP
        rest = -np.linalg.solve(matrix, drive)
        values, vectors = np.linalg.eig(matrix)
        start = np.linalg.solve(vectors, -rest.astype(complex))
        times = np.arange(count) * self.dt
        found: Array = np.real((np.exp(values[None, :] * times[:, None]) * start) @ vectors[0]) + rest[0]
        return found


LOOPS = {
    "PI": Loop(gain=4.0, ti=20.0),
    "PI, underdamped": Loop(gain=2.0, ti=4.0),
    "PID": Loop(gain=4.0, ti=20.0, td=2.0),
    "PI, parallel": Loop(gain=4.0, ti=5.0, parallel=True),
    "PID, parallel": Loop(gain=3.0, ti=6.0, td=5.0, parallel=True),
    "PI, plant of gain 2": Loop(gain=2.0, ti=15.0, plant=2.0),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_loop_is_the_exact_discrete_one(name: str) -> None:
    loop = LOOPS[name]
    assert np.max(np.abs(loop.simulate(500) - loop.discrete(500))) < 1e-9 * STEP


@given(
    st.floats(0.2, 6.0),
    st.floats(2.0, 60.0),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.floats(0.5, 2.0),
    st.floats(5.0, 60.0),
    st.sampled_from([0.1, 0.25, 0.5]),
    st.booleans(),
)
def test_so_is_any_loop(
    gain: float, ti: float, td: float, plant: float, time: float, dt: float, parallel: bool
) -> None:
    loop = Loop(gain, round(ti, 3), td, plant, time, dt, parallel)
    exact = loop.discrete(60)
    exact = exact[np.cumsum(np.abs(exact) > 1e6) == 0]  # some are unstable
    assert np.max(np.abs(loop.simulate(len(exact)) - exact)) < 1e-9 * max(STEP, float(np.max(np.abs(exact))))


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize(("share", "most"), [(100, 1.5), (1000, 0.15)])
def test_sampling_costs_little_and_less_when_faster(name: str, share: int, most: float) -> None:
    """The largest distance to the continuous loop in percent of the step, with a scan of T / 100 and of T / 1000."""
    loop = Loop(**{**LOOPS[name].__dict__, "dt": LOOPS[name].time / share})
    count = 5 * share
    error = 100.0 * float(np.max(np.abs(loop.simulate(count) - loop.continuous(count)))) / STEP
    assert error < most
