"""`scada history --aggregate` on the history of a plant that does not run."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.cli.app import app
from scada.datadir import DataDir
from tags.model import dump
from tags.types import to_bits
from tests.support.site import make_site

S = 1_000_000_000
BEGIN = 1_774_738_800 * S  # 2026-03-29 00:00 in Madrid, the day of 23 hours
HOUR = 3600 * S


@pytest.fixture
def data(tmp_path: Path) -> Path:
    site = dataclasses.replace(make_site(), timezone="Europe/Madrid")
    place = DataDir(tmp_path)
    place.create()
    place.site_json.write_bytes(dump(site))
    tags = site.by_path()
    level, mode = tags["tank1/LT-101"], tags["tank1/LIC-101/MODE"]
    rows = [
        (level.id, 0, BEGIN, to_bits(level.type, 2.0)),
        (level.id, 0x8031_0000, BEGIN + 34 * HOUR, to_bits(level.type, 2.0)),
        (mode.id, 0, BEGIN, 1),
        (mode.id, 0, BEGIN + HOUR, 2),
    ]
    store = SqliteStore.writer(place.history)
    store.declare(site.tags)
    store.append(Batch(np.array(rows, SAMPLE), utc_ns=BEGIN + 47 * HOUR))
    store.close()
    return tmp_path


def scada(data: Path, *arguments: str) -> tuple[int, str, str]:
    when = ("--start", "2026-03-29", "--end", "2026-03-31", "--data", str(data))
    result = CliRunner().invoke(app, ["history", *arguments, *when])
    return result.exit_code, result.stdout, result.stderr


def test_days_of_the_site_as_csv(data: Path) -> None:
    for every in ("1d", "day"):
        code, text, _ = scada(
            data, "tank1/LT-101", "--aggregate", "integral", "--every", every, "--format", "csv"
        )
        rows = list(csv.DictReader(io.StringIO(text)))
        assert code == 0
        assert [row["start"] for row in rows] == ["2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"]
        assert [float(row["value"]) / 7200 for row in rows] == [23, 11]
        assert [row["quality"] for row in rows] == ["Good", "UncertainDataSubNormal"]
        assert [row["unit"] for row in rows] == ["m·s"] * 2
        assert [float(row["good"]) for row in rows] == [100, round(100 * 11 / 24, 3)]


def test_shifts_and_states(data: Path) -> None:
    arguments = ("tank1/LIC-101/MODE", "--aggregate", "time-in-state", "--state", "Auto", "--every", "shift")
    code, text, _ = scada(data, *arguments, "--shifts", "08:00,20:00", "--json")
    rows = orjson.loads(text)
    assert code == 0
    assert [row["value"] / 3600 for row in rows] == [6, 12, 12, 12, 4]
    assert [row["partial"] for row in rows] == [True, False, False, False, True]
    assert rows[0]["start_utc"] == "2026-03-28T23:00:00.000Z"


def test_a_table_says_which_interval_is_not_whole(data: Path) -> None:
    code, text, _ = scada(data, "tank1/LT-101", "--aggregate", "TimeAverage2", "--every", "25h")
    lines = [line.split("\t") for line in text.splitlines()]
    assert code == 0
    assert lines[0][0] == "start (Europe/Madrid)"
    assert lines[1][2:] == ["2.00 m", "Good", "100.0 %", "1", ""]
    assert lines[2][2:] == ["2.00 m", "UncertainDataSubNormal", f"{100 * 9 / 22:.1f} %", "0", "partial"]


def test_hours_are_whole_hours_whenever_one_asks(data: Path) -> None:
    when = ("--start", "2026-03-30 10:20", "--end", "2026-03-30 12:05", "--data", str(data))
    result = CliRunner().invoke(
        app, ["history", "tank1/LT-101", "--aggregate", "max", *when, "--format", "csv"]
    )
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["start"][11:16] for row in rows] == ["10:20", "11:00", "12:00"]
    assert [row["partial"] for row in rows] == ["True", "False", "True"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--aggregate", "mean"], "'mean' is no aggregate: one of time-average"),
        (["--aggregate", "max", "--every", "5"], "'5' is no duration"),
        (
            ["--aggregate", "max", "--every", "shift", "--shifts", "six"],
            "Shifts begin at times such as 06:00",
        ),
        (["--aggregate", "time-in-state"], "Time-in-state needs a state"),
    ],
)
def test_what_is_wrong_is_said(data: Path, arguments: list[str], words: str) -> None:
    code, _, error = scada(data, "tank1/LT-101", *arguments)
    assert (code, words in error) == (2, True)


def test_a_text_has_no_aggregates(data: Path) -> None:
    code, _, error = scada(data, "tank1/note", "--aggregate", "max")
    assert code == 2
    assert "a text has no numbers" in error


def test_calculated_with_uncertain_values_only_when_asked(data: Path) -> None:
    code, text, _ = scada(
        data, "tank1/LT-101", "--aggregate", "max", "--every", "1d", "--uncertain", "--json"
    )
    assert (code, orjson.loads(text)[0]["value"]) == (0, 2.0)
    code, text, _ = scada(
        data, "tank1/LIC-101/MODE", "--aggregate", "counter", "--every", "1d", "--roll-over", "10", "--json"
    )
    assert (code, orjson.loads(text)[0]["value"]) == (0, 1.0)
