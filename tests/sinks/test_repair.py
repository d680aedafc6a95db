from __future__ import annotations

import pytest

from historian.sinks.quarantine import Refused
from historian.sinks.repair import problem, repaired


@pytest.mark.parametrize(
    "line",
    [
        "small v=1 1",
        r"my\ plant,id=tank1/T-1,unit=m/s v=-1.5e-7,q=0i 1750000000000000001",
        r'small,id=a s="say \"hi\" \\ = , ñ",q=1i -5',
        "small,id=a b=t",
        "small,id=a i=7i 1",
    ],
)
def test_lines_are_lines(line: str) -> None:
    assert problem(line) == ""


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("small", "measurement"),
        ("small,id v=1 1", "measurement"),
        ("small,id=a v= 1", "fields"),
        ("small,id=a v=1 x", "fields"),
        ("small,id=a v=1 1 1", "fields"),
        ('small,id=a s="a 1', "fields"),
        ("small,id=a v=1 1\nsmall v=2 2", "fields"),
        ("", "measurement"),
    ],
)
def test_others_are_not(line: str, what: str) -> None:
    assert what in problem(line)


def row(number: int, line: str) -> Refused:
    return Refused(number, "db", line, "no", 1, False)


def test_lines_are_changed_and_what_would_be_no_line_is_told() -> None:
    rows = [row(1, "small i=5i 1"), row(2, "small v=2 2"), row(3, "small i=6i 3")]
    assert repaired(rows, r" i=(\d+)i", r" v=\1") == ({1: "small v=5 1", 3: "small v=6 3"}, [])
    lines, broken = repaired(rows, "v=", "v")
    assert lines == {}
    assert broken == [(2, "small v2 2", "its fields or its time")]


@pytest.mark.parametrize(("find", "replace"), [("(", ""), ("v", r"\3")])
def test_what_is_no_pattern_is_said(find: str, replace: str) -> None:
    with pytest.raises(ValueError, match=r"v|:"):
        repaired([row(1, "small v=1 1")], find, replace)
