"""Addresses: every form that is read, and what is said of those that are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.field.modbus import Modbus
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
        ("30001", "int16", ("input", 0, None, 1)),
        ("40101", "int16", ("holding", 100, None, 1)),
        ("400101", "int32", ("holding", 100, None, 2)),
        ("465536", "int16", ("holding", 65535, None, 1)),
        ("10002", "bool", ("discrete", 1, None, 1)),
        ("40001x4", "string", ("holding", 0, None, 4)),
    ],
)
def test_every_form(text: str, type_: str, expected: tuple[str, int, int | None, int]) -> None:
    assert parse(text, type_, CONFIG) == Address(*expected, type_)
    json = Modbus.parse_address(text, type_, CONFIG)
    assert Address.of(json) == Address(*expected, type_)


@pytest.mark.parametrize(
    ("text", "type_", "says"),
    [
        ("00001", "bool", "Write coil/0"),
        ("1", "bool", "Write coil/0"),  # what YAML makes of 00001
        ("50001", "int16", "counts from 0 or 1"),
        ("40000", "int16", "count from 1"),
        ("register/3", "int16", "there is no table 'register'"),
        ("hello", "int16", "is not a Modbus address"),
        ("40010.1", "bool", "is not a Modbus address"),  # YAML cannot tell 40010.1 from 40010.10
        ("holding/70000", "int16", "offsets are 0 … 65535"),
        ("holding/65535", "float32", "beyond the last address"),
        ("holding/5", "bool", "needs its bit"),
        ("holding/5.16", "bool", "bits 0 … 15"),
        ("holding/5.1", "int16", "only a bool has a bit"),
        ("coil/5.1", "bool", "leave out .1"),
        ("coil/5x2", "bool", "no length"),
        ("coil/5", "int16", "does not fit into a coil"),
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


def test_a_value_longer_than_a_request_is_refused() -> None:
    small = Config(endpoint="tcp://h", max_registers=2)
    with pytest.raises(ValueError, match="max_registers of the device is 2"):
        parse("holding/0", "float64", small)


@given(st.sampled_from(TABLES), st.integers(0, 65535), st.sampled_from(types.TYPES))
def test_what_is_printed_can_be_read(table: str, offset: int, type_: str) -> None:
    text = f"{table}/{offset}"
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
        ({"endpoint": "tcp://plc", "timeout": 500}, "valid string"),
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
