from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scada.cli.app import app
from scada.cli.history_audit import _what
from scada.cli.options import parse_duration, parse_time, parse_value
from scada.cli.render import age_text, plain, show_table, utc_text, value_text
from tags.model import Tag

SECOND = 1_000_000_000


def tag(type_: str, **more: object) -> Tag:
    return Tag(id=1, path="a/b", type=type_, kind="memory", writer="control", row=0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500 ms", 0.5), ("30s", 30), ("30 m", 1800), ("30m", 1800), ("2 h", 7200), ("1.5 d", 129600)],
)
def test_durations_carry_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["30", "", "m", "30 parsecs", "-3 s", "9" * 400 + " d"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_duration(text)
    assert ended.value.code == 2


def test_times() -> None:
    now = 1_750_000_000 * SECOND
    assert parse_time("now", now, "Europe/Madrid") == now
    assert parse_time("-2h", now, "Europe/Madrid") == now - 7200 * SECOND
    assert parse_time("2026-11-22T12:00:00Z", now, "Europe/Madrid") == parse_time(
        "2026-11-22 13:00", now, "Europe/Madrid"
    )


def test_values_as_people_type_them() -> None:
    mode = tag("int32", states={"1": "Manual", "2": "Auto"})
    assert parse_value(mode, "auto") == 2
    assert parse_value(mode, "1") == 1
    assert parse_value(tag("float64", unit="m"), "2.8 m") == 2.8
    assert parse_value(tag("float64", unit="°C"), "-3") == -3.0
    assert parse_value(tag("bool"), "ON") is True
    assert parse_value(tag("bool", states={"0": "Closed", "1": "Open"}), "closed") is False
    assert parse_value(tag("string"), "2.8 m") == "2.8 m"


@pytest.mark.parametrize(
    ("type_", "text"),
    [("float64", "nan"), ("float64", "inf"), ("int16", "40000"), ("int16", "2.5"), ("bool", "2")],
)
def test_values_that_do_not_fit_are_refused(type_: str, text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_value(tag(type_), text)
    assert ended.value.code == 2


@given(st.floats(0, 1e7))
def test_ages_are_short(seconds: float) -> None:
    assert len(age_text(seconds)) <= 7


def test_what_is_shown() -> None:
    assert value_text(tag("float64", unit="m", decimals=1), 2.25) == "2.2 m"
    assert value_text(tag("int32", states={"2": "Auto"}), 2) == "Auto"
    assert value_text(tag("bool"), True) == "true"
    assert utc_text(1_750_000_000_123_456_789) == "2025-06-15T15:06:40.123Z"
    assert age_text(None) == "—"


@pytest.mark.parametrize("text", ["yesterday", "0001-01-01", "9999-12-31T23:59:59", "-" + "9" * 30 + "d"])
def test_times_that_nobody_can_store_are_a_wrong_usage(text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_time(text, 1_750_000_000 * SECOND, "Europe/Madrid")
    assert ended.value.code == 2


def test_a_time_before_1970_by_a_duration_is_the_beginning() -> None:
    assert parse_time("-36000 d", 1_750_000_000 * SECOND, "UTC") == 0


def test_what_others_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("\x1b[2Jgone\x07") == "\ufffd[2Jgone\ufffd"
    show_table(("reason", "by"), [("[/red] a\tb\nc", "anna")])
    assert capsys.readouterr().out == "reason\tby\n[/red] a\ufffdb c\tanna\n"


def test_forces_and_bypasses_in_the_audit_trail_are_for_people() -> None:
    event = {"kind": "bypass", "user": "eva", "path": "tank1/OVERFILL", "until": 1_750_000_000_000_000_000}
    assert _what(event | {"for": 5400 * SECOND}) == (
        "path tank1/OVERFILL, until 2025-06-15T15:06:40.000Z, for 90 min"
    )
    assert _what({"kind": "force", "value": 4, "for": 7200 * SECOND}) == "value 4, for 2 h"
    assert _what({"kind": "force", "for": 1_500_000_000}) == "for 1.5 s"
    assert _what({"kind": "request", "for": 7, "until": 5}) == "for 7, until 5"


@pytest.mark.parametrize("arguments", [["--for", "2h"], ["--end"]])
def test_a_bypass_of_nothing_is_no_list(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["bypass", *arguments])
    assert (done.exit_code, "Name the protection" in done.stderr) == (2, True)
