"""Addresses: every form that is read, and what is said of those that are not."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scada.field.modbus import Modbus, ambiguous
from scada.field.modbus.address import COUNT, TABLES, Address, parse
from scada.field.modbus.config import Config
from tags import types

CONFIG = Config(endpoint="tcp://127.0.0.1:502")


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        ("holding/100", "int16", ("holding", 100, None, 1)),
        ("input/3", "float32", ("input", 3, None, 2)),
        ("input/3", "uint64", ("input", 3, None, 4)),
        ("coil/0", "bool", ("coil", 0, None, 1)),
        ("discrete/65535", "bool", ("discrete", 65535, None, 1)),
        ("holding/10.3", "bool", ("holding", 10, 3, 1)),
        ("holding/100x8", "string", ("holding", 100, None, 8)),
        ("holding/100 x 8", "string", ("holding", 100, None, 8)),
        ("holding/0 x8", "string", ("holding", 0, None, 8)),
        ("30001", "int16", ("input", 0, None, 1)),
        ("40101", "int16", ("holding", 100, None, 1)),
        ("400101", "int32", ("holding", 100, None, 2)),
        ("465536", "int16", ("holding", 65535, None, 1)),
        ("10002", "bool", ("discrete", 1, None, 1)),
        ("40001x4", "string", ("holding", 0, None, 4)),
        ("holding/40000", "int16", ("holding", 40000, None, 1)),
        ("holding/50000", "int16", ("holding", 50000, None, 1)),
        ("440102", "int16", ("holding", 40101, None, 1)),
        ("40101 bit 3", "bool", ("holding", 100, 3, 1)),
        ("30001 bit 15", "bool", ("input", 0, 15, 1)),
        ("holding/100", "bcd16", ("holding", 100, None, 1)),
        ("holding/100", "bcd32", ("holding", 100, None, 2)),
        ("40101", "bcd64", ("holding", 100, None, 4)),
    ],
)
def test_every_form(text: str, type_: str, expected: tuple[str, int, int | None, int]) -> None:
    assert parse(text, type_, CONFIG) == Address(*expected, type_, order="ABCD")
    json = Modbus.parse_address(text, type_, CONFIG)
    assert Address.of(json) == Address(*expected, type_, order="ABCD")


@pytest.mark.parametrize(
    ("text", "type_", "says"),
    [
        ("register/3", "int16", "there is no table 'register'"),
        ("hello", "int16", "is not a Modbus address"),
        ("40000", "int16", "count from 1"),
        ("465537", "int16", "count from 1"),
        ("holding/\uff11\uff10", "int16", "is not a Modbus address"),
        ("-5", "int16", "is not a Modbus address"),
        ("holding/70000", "int16", "offsets are 0 … 65535"),
        ("holding/65535", "float32", "beyond the last address"),
        ("holding/5", "bool", "needs its bit"),
        ("holding/5.16", "bool", "bits 0 … 15"),
        ("holding/5.1", "int16", "only a bool has a bit"),
        ("coil/5.1", "bool", "leave out .1"),
        ("coil/5x2", "bool", "no length"),
        ("coil/5", "int16", "does not fit into a coil"),
        ("holding/5.0-3", "bool", "write .0, or type: uint16"),
        ("holding/5.7-4", "uint16", "lower bit first"),
        ("holding/5.4-4", "uint16", "lower bit first"),
        ("holding/5.4-16", "uint16", "bits 0 … 15"),
        ("holding/5.4-7", "float32", "is a uint16 (or int16"),
        ("holding/5.4-7x2", "uint16", "leave out x2"),
        ("coil/5.4-7", "uint16", "does not fit into a coil"),
        ("coil/5", "bcd16", "does not fit into a coil"),
        ("holding/5", "string", "needs its length"),
        ("holding/5x200", "string", "1 … 125"),
        ("holding/5x3", "int32", "takes 2 registers"),
    ],
)
def test_what_is_wrong_is_said(text: str, type_: str, says: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(text, type_, CONFIG)
    assert says in str(error.value)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("40101.0", "Write 40101 ", "holding/100.0 "),
        ("40010.1", "holding/9.1,", "holding/9.10"),  # YAML cannot tell 40010.1 from 40010.10
        ("40010.3", "holding/9.3 ", "40010 "),
        ("400010.12", "holding/9.12 ", "400010 "),
        ("30001.1", "input/0.1,", "input/0.10"),
        ("10.3", "holding/10.3,", "input/10.3"),
        ("0x64", "holding/100 ", "holding/64 "),
        ("holding/0x64", "holding/100 ", "holding/0 x 64 "),
        ("input/16#1F", "input/31 ", "decimal"),
        ("64h", "holding/100 ", "holding/64 "),
        ("0o144", "holding/100 ", "holding/144 "),
        ("holding/0100", "holding/100,", "holding/64 "),
        ("holding/010.3", "holding/10.3,", "holding/8.3 "),
        ("holding/0089", "holding/89", "zeros"),
        ("coil/00019", "coil/18 ", "coil/19 "),
        ("00001", "coil/0 ", "holding/1 "),
        ("1", "coil/0 ", "holding/1 "),  # what YAML makes of 00001
        ("50001", "coil/50000 ", "holding/50001 "),
        ("030001", "coil/30000 ", "30001"),
        ("040101", "coil/40100 ", "40101"),
        ("holding/40101", "holding/100 ", "440102 "),
        ("input/30001", "input/0 ", "330002 "),
        ("discrete/10001", "discrete/0 ", "110002 "),
        ("holding/400101", "holding/100 ", "0 … 65535"),
        ("4x101", "holding/100 ", "holding/101 "),
        ("4:00101", "holding/100 ", "holding/101 "),
        ("0x00101", "coil/100 ", "coil/101 "),
        ("10:3", "holding/10.3 ", "holding/10 x 3 "),
        ("1:05:00", "holding/1.5 ", "base 60"),
        ("holding/10:3", "holding/10.3 ", "holding/10 x 3 "),
        ("holding/10.03", "holding/10.3", "zeros"),
        ("D100", "holding/100,", "discrete/100"),
        ("%MW40101", "440102 ", "440101 "),
        ("0x9C41", "440002 ", "hexadecimal"),
        ("%QX0.1", "PLC's own", "40101"),
        ("holding10", "Write holding/10", "not the form"),
        ("40_101", "40101,", "holding/100"),
        ("40 101", "40101,", "holding/100"),
        ("400,101", "400101,", "holding/100"),
        ("%MW100", "holding/100 ", "holding/99 "),
        ("%IW3", "input/3 ", "input/2 "),
        ("%M5", "coil/5 ", "coil/4 "),
        ("HR100", "holding/100 ", "holding/99 "),
        ("ir5", "input/5 ", "input/4 "),
        ("holding/100-109", "holding/100 ", "array: 1..10 "),
        ("40101-40110", "40101 ", "array: 1..10 "),
        ("holding:100", "Write holding/100", "not the form"),
        ("Holding/100", "Write holding/100", "not the form"),
        ("holding 100.3", "Write holding/100.3", "not the form"),
        ("holding[100]", "Write holding/100", "not the form"),
        ("input register 5", "Write input/5", "not the form"),
        ("coils/5", "Write coil/5", "not the form"),
    ],
)
@pytest.mark.parametrize("type_", ["bool", "int16"])
def test_what_may_be_meant_twice_is_refused_with_both(text: str, first: str, second: str, type_: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(text, type_, CONFIG)
    said = f"{error.value} "
    assert said.startswith(f"{text}: ")
    assert first in said
    assert second in said


PLACE = (
    r"(?:coil|discrete|holding|input)/\d+(?:\.\d+(?:-\d+)?)?(?: ?x ?\d+)?|[134]\d{4,5}(?: bit \d+(?:-\d+)?)?"
)
TEXTS = st.text(max_size=12) | st.from_regex(
    r"[a-z0134%]{0,8}[/.:x ]?[0-9.\-x]{0,9}|(holding|coil|input)?[/: ]?[0-9]{1,6}[.:/x\-]?[0-9]{0,3}",
    fullmatch=True,
)


@given(TEXTS)
def test_no_text_is_read_in_two_ways(text: str) -> None:
    for type_ in ("bool", "int16", "string"):
        try:
            address = parse(text, type_, CONFIG)
        except ValueError:
            continue
        assert re.fullmatch(
            f"{PLACE}|[134]\\d{{4,5}}(\\s+bits?\\s+[\\d\\s-]+)?(\\s*x\\s*\\d+)?", text.strip(), re.ASCII
        )
        if type_ != "string":
            assert parse(str(address), type_, CONFIG) == address


@settings(max_examples=300)
@given(TEXTS)
@example("%MW40101")
@example("0x9C41")
@example("99999")
@example("4x99999")
@example("holding/10.03")
@example("holding/0x0")
@example("40101-40100")
@example("COIL0.0")
@example("465537.16")
@example("165537-200000")
@example("holding/10-40110")
@example("coil/0x3")
@example("65535:5")
@example("coil/010.3")
@example("10001.3")
def test_what_is_said_to_write_can_be_written(text: str) -> None:
    said = ambiguous.forms(text.strip())
    if said is None or any(_reads(text, type_) for type_ in ("bool", "int16", "uint16", "string")):
        return
    advice = said.partition("Write ")[2] or said.partition("write ")[2]
    found = re.findall(
        rf"(?<![\w/])(?:{PLACE})(?![\w/])", re.sub(r" (call|number|offset|octal|hexadecimal) \w+", "", advice)
    )
    assert found, said
    for form in found:
        assert form != text
        assert any(_reads(form, type_) for type_ in ("bool", "int16", "uint16", "string")), (form, said)


def _reads(text: str, type_: str) -> bool:
    try:
        parse(text, type_, CONFIG)
    except ValueError:
        return False
    return True


@given(st.integers(0, 65535), st.sampled_from(TABLES))
def test_every_place_can_be_written_in_one_way_at_least(offset: int, table: str) -> None:
    if table in ("coil", "discrete"):
        bit = Address(table, offset, None, 1, "bool", order="ABCD")
        assert parse(str(bit), "bool", CONFIG) == bit
        return
    word = Address(table, offset, None, 1, "int16", order="ABCD")
    assert parse(str(word), "int16", CONFIG) == word
    flag = Address(table, offset, offset % 16, 1, "bool", order="ABCD")
    assert parse(str(flag), "bool", CONFIG) == flag
    some = Address(table, offset, offset % 15, 1, "uint16", 15 - offset % 15 + 1, order="ABCD")
    assert parse(str(some), "uint16", CONFIG) == some


@pytest.mark.parametrize(
    ("text", "type_", "step", "third"),
    [
        ("holding/100", "int16", 0, "holding/102"),
        ("holding/100", "float32", 0, "holding/104"),
        ("holding/100", "float32", 10, "holding/120"),
        ("coil/5", "bool", 0, "coil/7"),
        ("coil/5", "bool", 8, "coil/21"),
        ("holding/10.0", "bool", 0, "holding/10.2"),
        ("holding/10.14", "bool", 0, "holding/11.0"),
        ("holding/10.3", "bool", 1, "holding/12.3"),
        ("holding/10.0-3", "uint16", 0, "holding/10.8-11"),
        ("holding/10.8-15", "uint16", 0, "holding/11.8-15"),
        ("holding/10.1-5", "uint16", 2, "holding/14.1-5"),
    ],
)
def test_elements_of_an_array(text: str, type_: str, step: int, third: str) -> None:
    first = parse(text, type_, CONFIG)
    assert first.element(0, step) == first
    assert str(first.element(2, step)) == third
    assert first.element(2, step).order == first.order
    assert Address.of(Modbus.element(first.to_json(), 2, step)) == first.element(2, step)


@pytest.mark.parametrize(
    ("text", "type_", "index", "step", "says"),
    [
        ("holding/100", "float32", 1, 1, "Write a larger one"),
        ("holding/10.1-5", "uint16", 1, 0, "do not fill a register"),
        ("holding/10.1-4", "uint16", 1, 0, "do not fill a register"),
        ("holding/65530", "float64", 2, 0, "elements reach beyond"),
    ],
)
def test_elements_that_are_refused(text: str, type_: str, index: int, step: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text, type_, CONFIG).element(index, step)


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
def test_an_order_says_both_orders(order: str) -> None:
    config = Config.model_validate({"endpoint": "tcp://plc", "order": order})
    assert config.bytes_order == order
    assert parse("holding/5", "int32", config).order == order
    assert Config.model_validate(config.model_dump(mode="json")) == config
    apart = {"endpoint": "tcp://plc", "word_order": config.word_order, "byte_order": config.byte_order}
    assert Config.model_validate(apart).bytes_order == order
    for key in ("word_order", "byte_order"):
        other = "big" if getattr(config, key) == "little" else "little"
        with pytest.raises(ValueError, match="is not what order"):
            Config.model_validate({"endpoint": "tcp://plc", "order": order, key: other})


def test_a_value_longer_than_a_request_is_refused() -> None:
    small = Config(endpoint="tcp://h", max_registers=2)
    with pytest.raises(ValueError, match="max_registers of the device is 2"):
        parse("holding/0", "float64", small)


@given(st.sampled_from(TABLES), st.integers(0, 65535), st.sampled_from(types.TYPES))
def test_what_is_printed_can_be_read(table: str, offset: int, type_: str) -> None:
    text = str(Address(table, offset, None, 1, type_))
    try:
        address = parse(text, type_, CONFIG)
    except ValueError:
        assert (
            type_ in (types.STRING, types.BOOL)
            or table in ("coil", "discrete")
            or offset + COUNT[type_] > 65536
        )
        return
    assert parse(str(address), type_, CONFIG) == address


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"endpoint": "http://10.0.0.1"}, "tcp://"),
        ({"endpoint": "tcp://"}, "no host"),
        ({"endpoint": "tcp://plc:0"}, "1 … 65535"),
        ({"endpoint": "tcp://plc:99999"}, "1 … 65535"),
        ({"endpoint": "tcp://user:secret@plc"}, "more than a host"),
        ({"endpoint": "tcp://plc", "timeout": 500}, "write 500 s or 500 ms"),
        ({"endpoint": "tcp://plc", "timeout": "5"}, "number and its unit"),
        ({"endpoint": "tcp://plc", "timeout": "1 ms"}, "between 10 ms and 60 s"),
        ({"endpoint": "tcp://plc", "max_registers": 126}, "less than or equal to 125"),
        ({"endpoint": "tcp://plc", "forbidden": ["holding/9-3"]}, "first address first"),
        ({"endpoint": "tcp://plc", "forbidden": ["nine"]}, "holding/200-210"),
        ({"endpoint": "tcp://plc", "unitid": 3}, "Extra inputs"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError) as error:
        Config.model_validate(settings)
    assert says in str(error.value)


def test_settings_survive_the_compiled_site() -> None:
    config = Config.model_validate({"endpoint": "tcp://plc", "timeout": "250 ms", "forbidden": ["coil/7"]})
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert (config.at.host, config.at.port, config.timeout_ns) == ("plc", 502, 250_000_000)
