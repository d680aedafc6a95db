"""Everything that a PLC stores as it is written in a site: arrays, bits, digits, orders, roots and curves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from tags import model
from tags.model import Tag
from tags.site import SiteError, fields, read_site
from tests.site.helpers import DRIVERS, compile_case, make_folder


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tag]:
    site = compile_case(
        tmp_path_factory.mktemp("stored") / "site",
        """
devices:
  PLC3: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", order: CDAB}
templates:
  drive:
    parameters: [base]
    tags:
      FAULT: {address: "40$base bit 3", type: bool}
      TEMP: {address: "40$base", type: int16, scan: 1 s, array: 1..3, step: 20, unit: degC}
tags:
  a/zone:
    {device: PLC3, address: holding/200, type: float32, array: 1..4, unit: degC, range: [0, 100], description: Zone,
     was: old/zone, alarms: {H: {above: 90 degC}}}
  a/door: {device: PLC3, address: coil/5, type: bool, array: 0..2}
  a/SP: {device: PLC3, address: holding/220, type: bcd16, array: 1..2, owner: scada, on_loss: hold}
  a/recipe: {type: float64, array: 1..3, initial: 5}
  a/mode: {device: PLC3, address: holding/230.4-7, type: uint16, states: {0: Off, 5: On}, owner: scada, on_loss: hold}
  a/level: {device: PLC3, address: holding/231.0-3, type: int16}
  a/total: {device: PLC3, address: holding/232, type: bcd32, scale: 0.01, unit: m3}
  a/odd: {device: PLC3, address: holding/234, type: uint32, order: BADC}
  a/FT: {device: PLC3, address: 30041, type: int16, scaling: square root, raw: [0, 27648], range: [0, 80], unit: m3/h,
         cutoff: 2 %}
  a/LT: {device: PLC3, address: 30042, type: int16, unit: m3, curve: [[0, 0], [1000, 2500 l], [27648, 90]]}
  a/LV: {device: PLC3, address: holding/240, type: int16, unit: "%", curve: [[0, 100], [4000, 0]], owner: scada,
         on_loss: hold, write: {deadband: 0}}
  a/D1: {use: drive, with: {device: PLC3, base: 301}}
  a/sum: {type: bool, initial: false}
control:
  a/warm: {block: calc, expression: a/zone/1 > 50 degC and not a/door/2, type: bool}
""".replace("base: 301", 'base: "301"'),
    )
    assert model.load(model.dump(site)) == site
    return site.by_path()


def test_an_array_is_so_many_tags(tags: dict[str, Tag]) -> None:
    assert "a/zone" not in tags
    zone = [tags[f"a/zone/{i}"] for i in (1, 2, 3, 4)]
    assert [tag.address["offset"] for tag in zone if tag.address] == [200, 202, 204, 206]
    assert [tag.description for tag in zone] == ["Zone 1", "Zone 2", "Zone 3", "Zone 4"]
    assert [tag.was for tag in zone] == ["old/zone/1", "old/zone/2", "old/zone/3", "old/zone/4"]
    assert all(tag.type == "float32" and tag.range == (0.0, 100.0) for tag in zone)
    assert tags["a/zone/3/H"].kind == "alarm"
    assert [tags[f"a/door/{i}"].address["offset"] for i in (0, 1, 2)] == [5, 6, 7]  # type: ignore[index]
    assert tags["a/recipe/3"].initial == 5.0
    assert tags["a/SP/2"].command == "a/SP/2/command"
    assert tags["a/SP/2/command"].type == "uint16"
    temperatures = [tags[f"a/D1/TEMP/{i}"].address for i in (1, 2, 3)]
    assert [at["offset"] for at in temperatures if at] == [300, 320, 340]
    assert tags["a/D1/FAULT"].address == {
        "table": "holding", "offset": 300, "bit": 3, "count": 1, "type": "bool", "order": "CDAB",
    }  # fmt: skip


def test_bits_digits_and_orders(tags: dict[str, Tag]) -> None:
    mode, level, digits, odd = tags["a/mode"], tags["a/level"], tags["a/SP/1"], tags["a/odd"]
    assert mode.address == {
        "table": "holding", "offset": 230, "bit": 4, "count": 1, "type": "uint16", "order": "CDAB", "width": 4,
        "limits": [0, 15],
    }  # fmt: skip
    assert (mode.type, mode.limits) == ("uint16", (0, 15))
    assert (level.type, level.limits) == ("int16", None)
    assert (digits.type, digits.limits) == ("uint16", (0, 9999))
    assert odd.address is not None
    assert odd.address["order"] == "BADC"
    assert tags["a/total"].type == "float64"
    assert tags["a/total"].scaling == model.Scaling(gain=0.01)


def test_what_bends(tags: dict[str, Tag]) -> None:
    assert tags["a/FT"].scaling == model.Scaling(gain=80 / 27648, root=(0.0, 80.0), cutoff=1.6)
    level = tags["a/LT"]
    assert (level.type, level.range) == ("float64", (0.0, 90.0))
    assert level.scaling.curve == ((0.0, 0.0), (1000.0, 2.5), (27648.0, 90.0))
    valve = tags["a/LV"]
    assert valve.limits == (0.0, 100.0)
    assert valve.write is not None
    assert valve.write.tolerance == 0.025  # one raw count


def test_a_problem_of_an_array_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(SiteError) as error:
        compile_case(
            tmp_path / "site",
            "tags:\n  a/x: {device: PLC1, address: coil/7, type: int16, array: 1..500}\n"
            "  a/y: {type: bool, initial: false, alarms: {A: {when: true, unless: a/x/3 > 5}}}\n",
        )
    assert [problem.line for problem in error.value.problems] == [2]


class Plain:
    """A driver that has neither arrays nor orders."""

    class Config(BaseModel):
        """Nothing to say."""

    @staticmethod
    def parse_address(text: str, type: str, config: object) -> dict[str, object]:  # noqa: A002 - the driver's
        return {"text": text, "type": type}

    @staticmethod
    def check(config: object, tags: object) -> list[tuple[str, str]]:
        return []


def test_a_driver_need_not_have_arrays_and_orders(tmp_path: Path) -> None:
    text = "devices:\n  P: {driver: plain}\ntags:\n  a/x: {device: P, address: x, type: int16, "
    for key, says in (("array: 1..3", "has no arrays"), ("order: CDAB", "has no orders of bytes")):
        folder = make_folder(tmp_path / key[:5], {"case.yaml": f"{text}{key}}}\n"})
        with pytest.raises(SiteError) as error:
            read_site(folder, drivers={**DRIVERS, "plain": Plain})
        assert [says in str(problem) for problem in error.value.problems] == [True]


def test_a_heartbeat_takes_a_whole_register(tmp_path: Path) -> None:
    text = 'devices:\n  P: {driver: modbus, endpoint: "tcp://127.0.0.1:5021", heartbeat: {address: holding/5.0-7, every: 1 s}}\n'
    with pytest.raises(SiteError, match="whole register"):
        compile_case(tmp_path / "site", text)


@example("0\x1f..0")
@given(
    st.text(max_size=8) | st.from_regex(r" ?[0-9]{0,6} ?\.{1,3} ?[0-9]{0,6}", fullmatch=True) | st.integers()
)
def test_bounds_are_read_in_one_way(data: str | int) -> None:
    try:
        first, last = fields.bounds(data)
    except ValueError:
        return
    assert 0 <= first <= last < first + fields.ARRAY_MAX
    assert [int(part) for part in str(data).split("..")] == [first, last]
