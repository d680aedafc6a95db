"""Tags that share registers: what may be read twice, and what has two writers."""

from __future__ import annotations

import pytest

from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from tags.model import Tag

CONFIG = Config(endpoint="tcp://plc")


def tag(path: str, address: str, type_: str, owner: str = "", order: str = "ABCD") -> Tag:
    config = CONFIG.model_copy(update={"order": order})
    at = Modbus.parse_address(address, type_, config)
    return Tag(
        id=1, path=path, type="float64", kind="device", writer="field", row=0, address=at, owner=owner or None
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.4", "bool", "scada")),
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.0", "bool")),
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.8-11", "uint16", "plc")),
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.0-3", "uint16", "scada", "BADC")),
        (("holding/0", "uint32"), ("holding/1.4-7", "uint16")),
        (("holding/0", "bcd16"), ("holding/0.4-7", "uint16", "scada")),
        (("holding/0", "float32", "scada"), ("holding/0", "float32")),
    ],
)
def test_what_goes_together(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    assert Modbus.check(CONFIG, [tag("a", *first), tag("b", *second)]) == []


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.3", "bool", "scada"), "One bit has one writer"),
        (("holding/0.0-3", "uint16", "scada"), ("holding/0.2-5", "uint16", "plc"), "One bit has one writer"),
        (
            ("holding/0.0-3", "uint16", "scada"),
            ("holding/0.8-11", "uint16", "scada", "BADC"),
            "One bit has one writer",
        ),
        (("holding/0", "float32"), ("holding/1.4-7", "uint16"), "cannot share"),
        (("holding/0", "uint16", "scada"), ("holding/0.4-7", "uint16", "scada"), "not both"),
        (("holding/0", "float32"), ("holding/0", "float32", "", "CDAB"), "the order ABCD"),
        (("holding/0", "bcd16"), ("holding/0", "uint16"), "cannot share"),
    ],
)
def test_what_does_not(first: tuple[str, ...], second: tuple[str, ...], says: str) -> None:
    ((path, text),) = Modbus.check(CONFIG, [tag("a", *first), tag("b", *second)])
    assert path == "b"
    assert says in text
