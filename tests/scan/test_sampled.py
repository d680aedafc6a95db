"""A controller behind a filter, a selection or a block of one's own controls as one at the sensor itself.

The sensor is asked once a second, the scan runs ten times as often: between two samples a second has passed for the integral,
through whatever blocks the sample came.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scada.blocks.base import Tick
from scada.scan import Inputs, State, build, start, step
from tags import model
from tags.quality import GOOD
from tests.site.helpers import BASE, compile_case

SECOND = 1_000_000_000
START_NS = 1_750_000_000 * SECOND
LOOP = """
  a/LIC: {{block: pid, pv: {pv}, out: a/LV-1/OUT, action: reverse, tuning: {{gain: 1, ti: 10 s, td: 1 s}},
          setpoint: {{initial: 2.5 m}}, mode: {{first: auto}}{more}}}
"""
SAME = """
from scada.blocks.own import Input, Output, OwnBlock


class Same(OwnBlock):
    level: float = Input("m", low=0, high=5)
    out: float = Output("m", low=0, high=5)

    def step(self, dt: float) -> None:
        self.out = self.level
"""
BETWEEN = {
    "a calculation": ("a/F", "  a/F: {block: calc, expression: a/LT-1 * 1, range: [0, 5]}"),
    "a selection": ("a/F", "  a/F: {block: select, kind: median, inputs: [a/LT-1, a/LT-1, a/LT-1]}"),
    "two after each other": (
        "a/G",
        """
  a/G: {block: calc, expression: a/F * 1, range: [0, 5]}
  a/F: {block: calc, expression: a/LT-1 * 1, range: [0, 5]}""",
    ),
    "a block of one's own": ("a/F", "  a/F: {block: own, class: Same, inputs: {level: a/LT-1}}"),
}


def run(folder: Path, pv: str, blocks: str = "", more: str = "", **files: str) -> tuple[float, State]:
    """The output after a minute of a level that hardly moves, with a sample each second."""
    yaml = "control:\n" + blocks + LOOP.format(pv=pv, more=more)
    site = compile_case(folder / "site", yaml, **{"blocks/same.py": SAME, **files})
    program = build(model.load(model.dump(site)))
    state, index = start(program, None, utc_ns=START_NS), program.index
    command = index["a/LV-1/OUT/command"]
    valve = 10.0
    for number in range(1, 602):
        utc_ns = START_NS + number * SECOND // 10
        samples = [
            (index[path], value, GOOD, utc_ns)
            for path, value in (("a/LV-1/OUT", valve), ("a/LV-1/POS", valve), ("system/PLC1/armed", True))
            if path in index
        ]
        if "a/LT-1" in index and (number == 1 or number % 10 == 0):
            level = 2.3 + 0.002 * (number // 100 % 2)  # the same for ten samples, then a little other
            samples.append((index["a/LT-1"], level, GOOD, utc_ns))
        state, _, _ = step(program, state, Inputs(samples), [], Tick(number, 1, SECOND // 10, utc_ns))
        if state.drive[command]:
            valve = state.signals.value[command]
    return valve, state


@pytest.mark.parametrize("between", BETWEEN)
def test_a_block_between_sensor_and_controller_changes_nothing(tmp_path: Path, between: str) -> None:
    pv, blocks = BETWEEN[between]
    direct, _ = run(tmp_path / "direct", "a/LT-1")
    assert 30.0 < direct < 45.0, "4 % of error, 60 s, an integral time of 10 s"
    through, _ = run(tmp_path / "through", pv, blocks + "\n")
    assert through == direct


def test_a_fast_controller_of_a_slow_block(tmp_path: Path) -> None:
    """Its task brings something new once a second, however often the sensor is asked."""
    head = (BASE / "site.yaml").read_text() + "tasks: {slow: {period: 1 s, priority: 9}}\n"
    blocks = "  a/F: {block: calc, task: slow, expression: a/LT-1 * 1, range: [0, 5]}\n"
    direct, _ = run(tmp_path / "direct", "a/LT-1")
    through, _ = run(tmp_path / "through", "a/F", blocks, **{"site.yaml": head})
    assert through == pytest.approx(direct, abs=1.0)


def test_what_makes_its_own_input_is_not_asked_for_ever(tmp_path: Path) -> None:
    """Two calculations in a ring, over two tasks: nobody knows how often they bring something new."""
    head = (BASE / "site.yaml").read_text() + "tasks: {slow: {period: 1 s, priority: 9}}\n"
    blocks = (
        "  a/F: {block: calc, task: slow, expression: a/G * 1, unit: m, range: [0, 5]}\n"
        "  a/G: {block: calc, expression: a/F * 1, unit: m, range: [0, 5]}\n"
    )
    _, state = run(tmp_path, "a/G", blocks, **{"site.yaml": head})
    assert state.scans == 601
