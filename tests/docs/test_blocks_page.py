"""The page of blocks says what the blocks do: text, keys, pictures, and examples that a site accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scada.blocks.registry import TYPES
from scada.field.modbus import Modbus
from scada.scan import build
from tags.site import function_models as fm
from tags.site import read_site
from tags.site.block_keys import KEYS
from tests.docs.blocks_page import CHAPTERS, EXAMPLES, IMAGES, PAGE, made_of, page, text_of
from tests.docs.pictures import PICTURES
from tests.docs.test_own_howtos import classes

SITE = """
site: examples
timezone: Europe/Madrid
devices:
  PLC1: {driver: modbus, endpoint: "tcp://127.0.0.1:5020"}
schedules:
  office: {weekdays: {"06:30": occupied, "18:00": unoccupied}, otherwise: unoccupied}
templates:
  level: {parameters: [n], tag: {device: PLC1, address: input/$n, type: int16, raw: [0, 1000], range: [0, 5], unit: m}}
  output:
    parameters: [n]
    tag: {device: PLC1, address: holding/$n, type: int16, raw: [0, 1000], range: [0, 100], unit: "%", owner: scada, on_loss: hold}
  pump:
    parameters: [n]
    tags:
      START: {device: PLC1, address: "coil/1$n", type: bool, owner: plc, write: pulse 500 ms}
      STOP: {device: PLC1, address: "coil/2$n", type: bool, owner: plc, write: pulse 500 ms, stop: true}
      RUN: {device: PLC1, address: "discrete/1$n", type: bool}
tags:
  tank1/LT-101: {use: level, with: {n: 0}}
  tank1/LT-102: {use: level, with: {n: 1}}
  tank1/LT-103: {use: level, with: {n: 2}}
  tank1/LV-101/OUT: {use: output, with: {n: 0}}
  tank1/LV-101/POS: {device: PLC1, address: input/9, type: int16, raw: [0, 1000], range: [0, 100], unit: "%"}
  tank1/XV-101/OUT: {device: PLC1, address: coil/0, type: bool, owner: scada, on_loss: hold}
  tank1/P-101: {use: pump, with: {n: 0}}
  tank1/P-102: {use: pump, with: {n: 1}}
  tank1/P-103: {use: pump, with: {n: 2}}
  tank1/RESET: {type: bool, initial: false, writable: true}
  room1/TT-1: {device: PLC1, address: input/10, type: int16, raw: [0, 1000], range: [0, 50], unit: degC}
  room1/DEMAND: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
  room1/HV: {use: output, with: {n: 1}}
  room1/CV: {use: output, with: {n: 2}}
  oven1/SP: {device: PLC1, address: holding/20, type: int16, raw: [0, 1000], range: [0, 100], unit: degC, owner: scada, on_loss: hold}
  pump1/SPD: {use: output, with: {n: 3}}
  pump1/FLOW: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
  pump1/PRESSURE: {type: float64, unit: "%", range: [0, 100], initial: 50, writable: true}
  pump1/P-1: {use: pump, with: {n: 5}}
  pump1/P-1/SPD: {use: output, with: {n: 5}}
  pump1/P-1/N: {device: PLC1, address: input/12, type: int16, raw: [0, 1000], range: [0, 100], unit: "%"}
  ahu1/FD-1/OUT: {use: output, with: {n: 6}}
  ahu1/FD-1/CLOSED: {device: PLC1, address: discrete/30, type: bool}
  ahu1/OAT: {device: PLC1, address: input/13, type: int16, raw: [0, 1000], range: [-30, 50], unit: degC}
  ahu1/TT-1: {device: PLC1, address: input/14, type: int16, raw: [0, 1000], range: [-30, 50], unit: degC}
  ahu1/TT-2: {device: PLC1, address: input/15, type: int16, raw: [0, 1000], range: [-30, 50], unit: degC}
  mix1/FT-1: {device: PLC1, address: input/11, type: int16, raw: [0, 1000], range: [0, 20], unit: m3/h}
control:
"""


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.docs.blocks_page"


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_the_pictures_are_up_to_date(name: str) -> None:
    assert (IMAGES / f"{name}.svg").read_text() == PICTURES[name](), "run: python -m tests.docs.blocks_page"


def test_every_block_and_key_is_there() -> None:
    assert set(TYPES) == set(fm.BLOCKS) == set(KEYS) == set(EXAMPLES)
    assert set(PICTURES) <= set(TYPES)
    assert {kind for names in CHAPTERS.values() for name in names for kind in made_of(name)} == set(TYPES)
    for name, model in fm.BLOCKS.items():
        keys = {field.alias or key for key, field in model.model_fields.items()}
        assert set(KEYS[name]) == keys - {"block", "description", "display", "group", "task"}


@pytest.mark.parametrize("name", sorted(fm.MODELS))
def test_every_block_has_its_equation_source_and_what_bad_inputs_do(name: str) -> None:
    _, rest = text_of(name)
    assert "```text" in rest
    assert "Source: " in rest
    assert "bad" in rest.casefold()


@pytest.mark.parametrize("name", sorted(set(TYPES) - {"calc", "own", "interlock"}))
def test_every_block_has_a_source(name: str) -> None:
    assert "Source: " in text_of(name)[1]


def test_what_is_looked_for_leads_to_a_block() -> None:
    text = page()
    headings = {re.sub(r"[^a-z0-9_ -]", "", line[4:].strip().lower()).replace(" ", "-") for line in text.splitlines() if line.startswith("###")}  # fmt: skip
    headings = {one.strip("-") for one in headings}
    table = text.partition("| looked for |")[2].partition("\n\n")[0]
    links = re.findall(r"\(#([^)]+)\)", table)
    assert len(links) > 15
    assert [one for one in links if one not in headings] == []


def test_a_site_accepts_the_examples(tmp_path: Path) -> None:
    ramp_or_schedule = {"schedule"}  # both write oven1/SP: one at a time
    for left_out in (ramp_or_schedule, {"ramp"}):
        examples = "".join(f"  {text}\n" for name, text in EXAMPLES.items() if name not in left_out)
        extra = "  tank1/P-102: {block: motor}\n  tank1/P-103: {block: motor}\n"
        (tmp_path / "site.yaml").write_text(SITE + examples + extra)
        (tmp_path / "blocks").mkdir(exist_ok=True)
        (tmp_path / "blocks" / "leak.py").write_text(classes())
        build(read_site(tmp_path, drivers={"modbus": Modbus}))


def test_the_how_to_is_accepted(tmp_path: Path) -> None:
    text = (PAGE.parents[1] / "how-to" / "heat-and-cool-with-one-controller.md").read_text()
    (tmp_path / "site.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    program = build(read_site(tmp_path, drivers={"modbus": Modbus}))
    assert {"room1/HV-1", "room1/CV-1", "room1/DEMAND"} <= set(program.output_of)
    for anchor in re.findall(r"blocks\.md#(\w+)", text):
        assert f"### {anchor}\n" in PAGE.read_text()
