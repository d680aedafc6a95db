"""What every block must do, tried on a site that has one of each: restart, refuse by name, survive anything."""

from __future__ import annotations

import json
import math
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from scada.blocks.base import MANUAL, FunctionBlock, Tick
from scada.field.modbus import Modbus
from scada.scan import Inputs, Program, State, build, start, step
from tags.model import DEVICE
from tags.quality import BAD_SENSOR_FAILURE, GOOD
from tags.site import read_site
from tests.docs.blocks_page import EXAMPLES
from tests.docs.test_blocks_page import SITE
from tests.docs.test_own_howtos import classes

SECOND = 1_000_000_000
NAMES = sorted(set(EXAMPLES) - {"schedule"})  # the ramp writes its target


@cache
def program() -> Program:
    examples = "".join(f"  {text}\n" for name, text in EXAMPLES.items() if name != "schedule")
    extra = "  tank1/P-102: {block: motor}\n  tank1/P-103: {block: motor}\n"
    with TemporaryDirectory() as folder:
        (Path(folder) / "site.yaml").write_text(SITE + examples + extra)
        (Path(folder) / "blocks").mkdir()
        (Path(folder) / "blocks" / "leak.py").write_text(classes())
        return build(read_site(Path(folder), drivers={"modbus": Modbus}))


class Life:
    """The site with a device that says anything, seeded."""

    def __init__(self, kept: dict[str, Any] | None = None, *, seed: int = 1) -> None:
        self.state: State = start(program(), kept, utc_ns=50 * SECOND)
        self.dice = random.Random(seed)
        self.utc_ns = 50 * SECOND

    def blocks(self, type_: str) -> list[FunctionBlock]:
        return [
            self.state.blocks[n] for n, config in enumerate(program().site.blocks) if config.type == type_
        ]

    def run(self, scans: int, *, bad: float = 0.05) -> None:
        site = program()
        for _ in range(scans):
            self.utc_ns += site.site.scan_ns
            samples: list[tuple[int, Any, int, int]] = []
            for slot in range(site.own, len(site.slots)):
                tag = site.slots[slot]
                if tag.path.endswith(("/armed", "/connected")):
                    samples.append((slot, True, GOOD, self.utc_ns))
                elif tag.kind == DEVICE and self.dice.random() < 0.3:
                    low, high = tag.range or (0.0, 1.0)
                    value = self.dice.uniform(low, high) if tag.type != "bool" else self.dice.random() < 0.5
                    status = BAD_SENSOR_FAILURE if self.dice.random() < bad else GOOD
                    samples.append((slot, value, status, self.utc_ns))
            tick = Tick(self.state.scans + 1, 1, site.site.scan_ns, self.utc_ns)
            self.state, _, events = step(site, self.state, Inputs(samples, [], []), [], tick)
            assert not [event for event in events if event["kind"] == "block"], "no block may raise"
        settle = getattr(self.state, "settle", None)
        if settle:
            settle()


@cache
def lived(seed: int) -> Life:
    life = Life(seed=seed)
    life.run(300)
    return life


@pytest.mark.parametrize("seed", [1, 2])
def test_what_it_keeps_is_json_and_comes_back(seed: int) -> None:
    before, after = lived(seed), Life()
    for type_ in NAMES:
        for block, again in zip(before.blocks(type_), after.blocks(type_), strict=True):
            kept = json.loads(json.dumps(block.retained()))
            again.restore(kept, fresh=True)
            assert json.loads(json.dumps(again.retained())) == kept, type_


def test_what_is_old_comes_back_in_manual() -> None:
    before, after = lived(1), Life()
    for type_ in NAMES:
        for block, again in zip(before.blocks(type_), after.blocks(type_), strict=True):
            again.restore(json.loads(json.dumps(block.retained())), fresh=False)
            assert again.retained().get("mode", MANUAL) == MANUAL, type_


JUNK: list[Any] = [None, True, "x", [], {}, -1, 1e300, math.nan, 2**80]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_nonsense_that_was_kept_does_no_harm(junk: Any) -> None:
    life = Life()
    for type_ in NAMES:
        for block, known in zip(life.blocks(type_), lived(1).blocks(type_), strict=True):
            block.restore(dict.fromkeys(known.retained(), junk))
            block.restore({})
    life.run(20)
    for type_ in NAMES:
        for block in life.blocks(type_):
            json.dumps(block.retained())


@pytest.mark.parametrize("type_", NAMES)
def test_what_it_does_not_take_is_refused_by_its_name(type_: str) -> None:
    life, site = lived(1), program().site
    configs = [config for config in site.blocks if config.type == type_]
    for block, config in zip(life.blocks(type_), configs, strict=True):
        for point in (*config.points, "NO-SUCH-POINT"):
            text = point in config.points and program().tags[config.points[point]].type == "string"
            if text or point.endswith("RESET"):  # only a true one resets
                continue
            said = block.write(point, "nonsense")
            assert said is not None, point
            assert block.path in said
        said = block.write_output(0, "nonsense")
        assert said is not None
        assert block.path in said
