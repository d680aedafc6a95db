"""Every line of the tables of docs/reference/modbus-addresses.md is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scada.field.modbus import encode
from scada.field.modbus.address import Address, parse
from scada.field.modbus.config import ORDERS, Config
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.plan import plan
from tags import quality, types
from tags.model import Tag
from tests.site.helpers import compile_case

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "modbus-addresses.md"
CONFIG = Config(endpoint="tcp://plc")
Row = tuple[str, ...]


def rows(*head: str) -> list[Row]:
    """The lines of all tables with this head."""
    found, wanted, inside = [], "| " + " | ".join(head) + " |", False
    for line in PAGE.read_text().splitlines():
        if line == wanted:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append(tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")))
    assert found, head
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tag]:
    """Every tag of the page, by what is written there."""
    read = [row[1] for row in rows("registers", "tag", "value")] + [
        row[0] for row in rows("tag", "element", "lies at")
    ]
    written = [row[0] for row in (*rows("tag", "value", "registers"), *rows("tag", "value", "mask", "bits"))]
    tags: dict[str, Tag] = {}
    for number, text in enumerate(dict.fromkeys(read + written)):
        body = text.strip("{}")
        owner = ", owner: scada, on_loss: hold" if text in written else ""
        case = f'devices:\n  P: {{driver: modbus, endpoint: "tcp://127.0.0.1:5021"}}\ntags:\n  a/x: {{device: P, {body}{owner}}}\n'
        site = compile_case(tmp_path_factory.mktemp(f"page{number}") / "site", case)
        for tag in site.tags:
            if tag.path.startswith("a/x") and tag.kind == "device":
                tags[text + tag.path.removeprefix("a/x")] = tag
    return tags


def point_of(tag: Tag) -> Point:
    assert tag.address is not None
    return Point(Address.of(tag.address), tag.type, tag.scaling)


@pytest.mark.parametrize("row", rows("registers", "tag", "value"), ids=" ".join)
def test_what_is_read(row: Row, compiled: dict[str, Tag]) -> None:
    registers, text, value = row
    tag = compiled[text]
    point = point_of(tag)
    assert (point.address.table, point.address.offset) == ("holding", 100)
    (group,) = plan([point.address], [1], CONFIG)
    decoder = Decoder([point], group.requests, CONFIG)
    decoder.put(0, bytes.fromhex(registers))
    (bits,), (status,) = (array.tolist() for array in decoder.decode())
    if value.startswith("Bad"):
        assert quality.name(status) == value
        return
    assert status == quality.GOOD
    if tag.type == types.STRING:
        assert decoder.text(0) == value
    else:
        assert types.from_bits(tag.type, bits) == pytest.approx(yaml.safe_load(value), rel=1e-12, abs=0)


@pytest.mark.parametrize("row", rows("tag", "value", "registers"), ids=" ".join)
def test_what_is_written(row: Row, compiled: dict[str, Tag]) -> None:
    text, value, registers = row
    tag = compiled[text]
    bits = (
        0
        if tag.type == types.STRING
        else types.to_bits(tag.type, types.coerce(tag.type, yaml.safe_load(value)))
    )
    part = encode.part(point_of(tag), bits, value, CONFIG)
    assert (part.table, part.offset, part.data, part.mask) == ("holding", 100, bytes.fromhex(registers), None)


@pytest.mark.parametrize("row", rows("tag", "value", "mask", "bits"), ids=" ".join)
def test_bits_that_are_written(row: Row, compiled: dict[str, Tag]) -> None:
    text, value, mask, bits = row
    tag = compiled[text]
    part = encode.part(point_of(tag), types.to_bits(tag.type, yaml.safe_load(value)), "", CONFIG)
    assert (part.mask, part.data) == (int(mask, 16), bytes.fromhex(bits))


@pytest.mark.parametrize("row", rows("tag", "element", "lies at"), ids=" ".join)
def test_where_elements_lie(row: Row, compiled: dict[str, Tag]) -> None:
    text, element, place = row
    assert str(point_of(compiled[f"{text}/{element}"]).address) == place


@pytest.mark.parametrize("row", rows("written", "may be", "or"), ids=" ".join)
def test_what_is_refused(row: Row) -> None:
    text, *meant = row
    for type_ in ("int16", "bool", "string"):
        with pytest.raises(ValueError) as error:
            parse(text, type_, CONFIG)
        for form in meant:
            assert re.search(rf"(?<![\w/.]){re.escape(form)}(?![\w/.]*\d)", str(error.value)), (
                form,
                error.value,
            )
    for form in meant:
        assert any(_reads(form, type_) for type_ in ("int16", "bool", "string"))


def _reads(text: str, type_: str) -> bool:
    try:
        parse(text, type_, CONFIG)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("row", rows("written", "means"), ids=" ".join)
def test_what_is_accepted(row: Row) -> None:
    for text in re.findall(r"`([^`]+)`", f"`{row[0]}`"):
        kinds = (
            "string"
            if "x" in text
            else "bool"
            if "coil" in text or "discrete" in text or "." in text
            else "int16"
        )
        kind = "uint16" if "-" in text else "bool" if text.startswith("1") or "bit " in text else kinds
        assert parse(text, kind, CONFIG)


def test_orders_are_two_words() -> None:
    assert {row[0]: row[1:] for row in rows("`order`", "`word_order`", "`byte_order`")} == ORDERS
