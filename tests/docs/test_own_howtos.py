"""The how-tos for interlocks and for blocks of one's own: what they show is accepted, and does what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scada.blocks import own_load, own_trial
from scada.blocks.bypass import permits
from scada.blocks.own import OwnBlock
from scada.field.modbus import Modbus
from scada.scan import build
from tags.model import Site
from tags.site import SiteError, read_site
from tests.docs.blocks_page import PAGE

HOW_TO = PAGE.parents[1] / "how-to"
TAGS = """
site: tank
timezone: Europe/Madrid
devices: {PLC1: {driver: modbus, endpoint: "tcp://127.0.0.1:5020"}}
templates:
  input:
    parameters: [n, unit, top]
    tag: {device: PLC1, address: input/$n, type: int16, raw: [0, 1000], range: [0, $top], unit: $unit}
tags:
  tank1/LT-101: {use: input, with: {n: 0, unit: m, top: 5}}
  tank1/FT-101: {use: input, with: {n: 1, unit: l/s, top: 10}}
  tank1/FT-102: {use: input, with: {n: 2, unit: m3/h, top: 20}}
  tank1/FT-103: {use: input, with: {n: 3, unit: m3/h, top: 20}}
  tank1/PT-1: {use: input, with: {n: 4, unit: bar, top: 10}}
  tank1/PT-2: {use: input, with: {n: 5, unit: bar, top: 10}}
  tank1/PT-3: {use: input, with: {n: 6, unit: bar, top: 10}}
  tank1/TT-1: {use: input, with: {n: 7, unit: degC, top: 90}}
  tank1/LV-101/OUT: {device: PLC1, address: holding/0, type: int16, raw: [0, 1000], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  tank1/P-101/START: {device: PLC1, address: coil/0, type: bool, owner: plc, write: pulse 500 ms}
  tank1/P-101/STOP: {device: PLC1, address: coil/1, type: bool, owner: plc, write: pulse 500 ms, stop: true}
  tank1/P-101/RUN: {device: PLC1, address: discrete/0, type: bool}
control:
  tank1/P-101: {block: motor}
"""


def parts(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)


def classes() -> str:
    """All blocks that the page shows, in one file."""
    shown = [text for text in parts("write-a-block.md", "python") if "OwnBlock)" in text]
    return "\n\n".join(shown)


def site(folder: Path, control: str, blocks: str = "") -> Site:
    indented = "".join(f"{line}\n" for line in control.splitlines() if line != "control:")
    (folder / "site.yaml").write_text(TAGS + indented)
    if blocks:
        (folder / "blocks").mkdir()
        (folder / "blocks" / "leak.py").write_text(blocks)
    return read_site(folder, drivers={"modbus": Modbus})


def test_interlocks(tmp_path: Path) -> None:
    first, matrix, bypass = parts("interlocks.md", "yaml")
    made = site(tmp_path, first.rstrip() + "\n" + bypass + matrix)
    program = build(made)
    said = (HOW_TO / "interlocks.md").read_text()
    points = re.findall(r"\| `(tank1/TRIPS/\S+)` \|", said)
    assert len(points) == 7
    assert all(point in program.index for point in points)
    assert set(permits(made.blocks)) == {"tank1/OVERFILL", "tank1/TRIPS/LSHH-101", "tank1/TRIPS/PSHH-103"}
    for anchor in re.findall(r"blocks\.md#(\w+)", said):
        assert f"### {anchor}\n" in PAGE.read_text()


def test_the_example_runs(tmp_path: Path) -> None:
    text = classes()
    uses = (
        parts("write-a-block.md", "yaml")[0]
        + """
  tank1/TEMPERATURE: {block: own, class: Either, inputs: {a: tank1/TT-1, b: tank1/TT-1}}
  tank1/NUDGE: {block: own, class: Nudge, inputs: {level: tank1/LT-101}, drives: {position: tank1/LV-101/OUT}}
"""
    )
    made = site(tmp_path, uses, text)
    own_trial.check(made)
    program = build(made)
    assert {"tank1/LEAK/LOSS", "tank1/LEAK/LEAK", "tank1/TEMPERATURE", "tank1/NUDGE/MODE"} <= set(
        program.index
    )
    assert made.by_path()["tank1/LEAK/LEAK"].states == {"0": "Tight", "1": "Leak"}
    (inflow,) = [b.config["inputs"]["inflow"] for b in made.blocks if b.path == "tank1/LEAK"]
    assert inflow["gain"] == pytest.approx(3.6)


def test_what_check_says_of_a_mistake(tmp_path: Path) -> None:
    wrong = (
        classes()
        .replace('Setting(12.0, "m2", low=0.1,', 'Setting(12.0, "m2",')
        .replace("/ dt * 3600.0", "/ (dt * 0)")
    )
    made = site(tmp_path, parts("write-a-block.md", "yaml")[0], wrong)
    with pytest.raises(SiteError, match=r"blocks/leak.py:\d+:1: LeakWatch: step raises ZeroDivisionError"):
        own_trial.check(made)


def test_the_test_of_the_page() -> None:
    kinds: dict[str, type[OwnBlock]] = own_load.module(classes(), "blocks/leak.py")[1]
    (test,) = [text for text in parts("write-a-block.md", "python") if "def test_" in text]
    space: dict[str, Any] = dict(kinds)
    exec(test, space)
    space["test_a_leak"]()
    nudge: Any = kinds["Nudge"]()
    nudge.level = 2.0
    nudge.step(1.0)
    assert nudge.position == pytest.approx(0.1)
