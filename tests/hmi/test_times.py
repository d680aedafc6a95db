from __future__ import annotations

import pytest

from hmi.times import length, moment

NOW = 1_790_000_000_000_000_000
NOON = 1_795_348_800_000_000_000  # 2026-11-22T12:00:00Z


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("now", NOW),
        ("-2h", NOW - 7_200_000_000_000),
        ("- 500 ms", NOW - 500_000_000),
        ("-10m", NOW - 600_000_000_000),
        ("1795348800123", NOON + 123_000_000),
        ("0", 0),
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T13:00", NOON),
        ("2026-11-22 13:00:00.250001", NOON + 250_001_000),
        ("2026-11-22T17:00+05:00", NOON),
        ("2026-11-22T17:00 05:00", NOON),
        ("2026-11-22", NOON - 13 * 3_600_000_000_000),
    ],
)
def test_times(text: str, wanted: int) -> None:
    assert moment(text, NOW, "Europe/Berlin") == wanted


@pytest.mark.parametrize(
    "text", ["", "yesterday", "-2", "-2 weeks ago", "1e9", "12345678901234567890", "1960-01-01", "9999-01-01"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text, NOW, "UTC")


def test_lengths() -> None:
    assert (length("10min"), length("1 h"), length("250")) == (
        600_000_000_000,
        3_600_000_000_000,
        250_000_000,
    )
    assert length("day") == "day"
    for text in ("", "-1h", "0s", "year", "1 m/s"):
        with pytest.raises(ValueError):
            length(text)
