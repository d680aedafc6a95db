"""What a tag lets be written to it."""

from __future__ import annotations

from typing import Any

import pytest

from scada.requests.check import coerce, range_refusal, write_refusals
from tags.model import Tag


def tag(type_: str = "float64", **more: Any) -> Tag:
    fields: dict[str, Any] = {
        "id": 1,
        "path": "a/b",
        "type": type_,
        "kind": "memory",
        "writer": "control",
        "row": 0,
        "writable": True,
    }
    return Tag(**{**fields, **more})


MODES = {"0": "Out of service", "1": "Manual", "2": "Auto"}


def test_states_by_number_and_by_text() -> None:
    mode = tag("int32", states=MODES)
    assert coerce(mode, "auto") == coerce(mode, 2) == coerce(mode, "2") == 2
    with pytest.raises(ValueError, match=r"a/b: 7 is none of its states Out of service, Manual, Auto"):
        coerce(mode, 7)
    with pytest.raises(ValueError, match="'Cascade' is none of its states"):
        coerce(mode, "Cascade")


@pytest.mark.parametrize(
    ("type_", "value", "made"),
    [
        ("bool", "on", True),
        ("bool", 0, False),
        ("int16", "12", 12),
        ("float64", "2.5", 2.5),
        ("string", "hi", "hi"),
    ],
)
def test_texts_become_values(type_: str, value: object, made: object) -> None:
    assert coerce(tag(type_), value) == made


@pytest.mark.parametrize(
    ("type_", "value"),
    [("bool", "maybe"), ("bool", 2), ("int16", 1.5), ("int16", 40000), ("float64", "nan"), ("float64", "much"),
     ("float64", None), ("string", 5), ("string", "x" * 256)],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(type_: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^a/b: "):
        coerce(tag(type_), value)


def test_limits_are_the_tags_own_else_its_range() -> None:
    level = tag(range=(0.0, 5.0), limits=(1.0, 4.0), unit="m")
    assert range_refusal(level, 4.0) is None
    assert range_refusal(level, 4.5) == "a/b: 4.5 m is outside of its limits 1 … 4 m"
    assert range_refusal(tag(range=(0.0, 5.0)), 4.5) is None
    assert range_refusal(tag(), 1e9) is None
    digits = tag(limits=(0, 99_999_999))
    assert range_refusal(digits, 100_000_000) == "a/b: 100000000 is outside of its limits 0 … 99999999"


def test_who_may_write_what() -> None:
    assert write_refusals(tag(), "operator") == []
    assert "role operator" in write_refusals(tag(), "viewer")[0]
    assert "role engineer" in write_refusals(tag(write_role="engineer"), "operator")[0]
    assert "write a/b instead" in write_refusals(tag(kind="command", command="a/b"), "admin")[0]
    assert "acknowledge it instead" in write_refusals(tag(kind="alarm"), "admin")[0]
    assert "only read from its device" in write_refusals(tag(kind="device", writable=False), "admin")[0]
