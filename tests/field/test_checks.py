"""Problems that show only with all tags of a device in view."""

from __future__ import annotations

import pytest

from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from tags.model import Tag

CONFIG = Config(endpoint="tcp://plc", forbidden=("holding/200-210",))


def tag(
    path: str, address: str, type_: str, *, owner: str | None = None, scan_ns: int = 1_000_000_000
) -> Tag:
    at = Modbus.parse_address(address, type_, CONFIG)
    return Tag(
        id=1,
        path=path,
        type=type_,
        kind="device",
        writer="field",
        row=0,
        address=at,
        owner=owner,
        scan_ns=scan_ns,
    )


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        (
            [tag("a", "holding/0", "float32"), tag("b", "holding/1", "int16")],
            "float32, 2 registers from holding/0",
        ),
        ([tag("a", "holding/0", "float32"), tag("b", "holding/0", "int32")], "type float32"),
        ([tag("a", "holding/0", "float32"), tag("b", "holding/1", "float32")], "Correct one address"),
        ([tag("a", "holding/0", "int32"), tag("b", "holding/1.3", "bool")], "cannot share"),
        ([tag("a", "coil/0", "bool", owner="scada"), tag("b", "coil/0", "bool", owner="plc")], "one writer"),
        (
            [tag("a", "holding/0.1", "bool", owner="scada"), tag("b", "holding/0", "int16", owner="plc")],
            "not both",
        ),
        ([tag("b", "input/0", "int16", owner="scada")], "only be read"),
        ([tag("b", "holding/209", "int32")], "forbidden range"),
    ],
)
def test_problems(tags: list[Tag], says: str) -> None:
    problems = Modbus.check(CONFIG, tags)
    assert [path for path, _ in problems] == ["b"]
    assert says in problems[0][1]


def test_a_status_word_may_be_read_whole_and_by_bits() -> None:
    tags = [
        tag("word", "holding/0", "uint16"),
        tag("bit0", "holding/0.0", "bool"),
        tag("bit1", "holding/0.1", "bool", owner="scada"),
        tag("again", "holding/0.1", "bool"),
        tag("next", "holding/1", "float32"),
    ]
    assert Modbus.check(CONFIG, tags) == []
