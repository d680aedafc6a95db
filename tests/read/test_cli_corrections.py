"""`scada history edit|delete|undo|edits|annotate|notes|audit` on the history of a plant that does not run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from historian import audit
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.cli.app import app
from scada.cli.stamps import exact, parse_stamp
from scada.datadir import DataDir
from tags.model import dump
from tags.types import to_bits
from tests.support.site import make_site

S = 1_000_000_000
BEGIN = 1_774_742_400 * S  # 2026-03-29T00:00:00Z
LEVEL, MODE = "tank1/LT-101", "tank1/LIC-101/MODE"
WHEN = ("--start", "2026-03-29T00:00:00Z", "--end", "2026-03-30T00:00:00Z")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    site = make_site()
    place = DataDir(tmp_path)
    place.create()
    place.site_json.write_bytes(dump(site))
    tags = site.by_path()
    level = tags[LEVEL]
    rows = [(level.id, 0, BEGIN + i * 10 * S + 123_456_789, to_bits(level.type, float(i))) for i in range(5)]
    rows.append((level.id, 0, BEGIN + 123_500_000, to_bits(level.type, 9.0)))
    rows.append((tags[MODE].id, 0, BEGIN, 1))
    store = SqliteStore.writer(place.history)
    store.declare(site.tags)
    store.append(Batch(np.array(rows, SAMPLE), utc_ns=BEGIN + 100 * S))
    store.close()
    return tmp_path


def scada(data: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["history", *arguments, "--data", str(data)])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def values(data: Path, *options: str) -> list[float]:
    code, text = scada(data, LEVEL, *WHEN, "--json", *options)
    assert code == 0, text
    return [row["value"] for row in orjson.loads(text)]


def test_a_sample_is_corrected_by_the_digits_that_are_seen(data: Path) -> None:
    said = scada(
        data, "edit", LEVEL, "--at", "2026-03-29T00:00:10.123Z", "--value", "7.5", "--reason", "spike"
    )
    assert said == (0, "tank1/LT-101 at 2026-03-29T00:00:10.123456789Z: 7.50 m; it was 1.00 m. Edit 1.")
    assert values(data) == [0, 9, 7.5, 2, 3, 4]
    assert values(data, "--originals") == [0, 9, 1, 2, 3, 4]
    code, text = scada(
        data, "edit", LEVEL, "--at", "2026-03-29T00:00:00.12Z", "--value", "7", "--reason", "x"
    )
    assert code == 2
    assert "00:00:00.123456789Z, 2026-03-29T00:00:00.123500Z. Write more digits" in text
    said = scada(data, "edit", LEVEL, "--at", "2026-03-29T00:00:05.5Z", "--value", "6", "--reason", "x")
    assert said == (
        0,
        "tank1/LT-101 at 2026-03-29T00:00:05.500Z: 6.00 m; there was no sample at that time. Edit 2.",
    )
    assert values(data) == [0, 9, 6, 7.5, 2, 3, 4]


def test_deleted_listed_and_taken_back(data: Path) -> None:
    arguments = (
        "--start",
        "2026-03-29T00:00:15Z",
        "--end",
        "2026-03-29T00:00:35Z",
        "--reason",
        "test signal",
    )
    assert scada(data, "delete", LEVEL, *arguments) == (0, "tank1/LT-101: 2 samples hidden. Edit 1.")
    assert values(data) == [0, 9, 1, 4]
    code, text = scada(data, "edits", LEVEL, *WHEN, "--json")
    rows = orjson.loads(text)
    assert code == 0
    assert [(row["kind"], row["was"], row["is"], row["reason"]) for row in rows] == [
        ("delete", 2.0, None, "test signal"),
        ("delete", 3.0, None, "test signal"),
    ]
    assert "test signal" in scada(data, "edits", LEVEL, *WHEN)[1]
    code, text = scada(data, "undo", "1", "--reason", "it was real")
    assert (code, text) == (0, "Edit 1 is taken back: 2 samples are shown again. Edit 2.")
    assert values(data) == [0, 9, 1, 2, 3, 4]
    assert scada(data, "delete", LEVEL, "--at", "2026-03-29T00:00:20.1Z", "--reason", "x")[0] == 0
    assert values(data) == [0, 9, 1, 3, 4]
    code, text = scada(data, "undo", "3", "--reason", "it was real too")
    assert (code, text) == (0, "Edit 3 is taken back: 1 sample is shown again. Edit 4.")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("delete", LEVEL, "--reason", "x"), 2, "Give --at TIME, or --start TIME and --end TIME."),
        (
            ("delete", LEVEL, "--at", "2026-03-29T05:00:00Z", "--reason", "x"),
            1,
            "There are no samples in that time.",
        ),
        (("undo", "7", "--reason", "x"), 1, "There is no edit 7."),
        (("edit", "no/such", "--at", "now", "--value", "1", "--reason", "x"), 1, "There is no tag no/such"),
        (("edit", LEVEL, "--at", "now", "--value", "many", "--reason", "x"), 2, "is not a value"),
        (("edit", LEVEL, "--at", "now", "--value", "1", "--reason", " "), 1, "An edit needs a reason."),
        (("annotate", LEVEL, " "), 1, "says nothing"),
        (("notes", "--remove", "5"), 1, "there is no annotation 5"),
        (("audit", "verify"), 1, "no audit trail yet"),
        (("audit", "verify", "--head", "x"), 2, "is not an entry's number"),
        ((LEVEL, "--originals", "--aggregate", "min"), 2, "leave --aggregate out"),
    ],
)
def test_what_is_wrong_is_said(data: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    found, text = scada(data, *arguments)
    assert message in text
    assert found == code
    assert values(data) == [0, 9, 1, 2, 3, 4]


def test_annotations(data: Path) -> None:
    said = scada(data, "annotate", LEVEL, "sensor cleaned", "--at", "2026-03-29T00:00:12Z")
    assert said == (0, "tank1/LT-101 at 2026-03-29T00:00:12.000Z: annotation 1.")
    for place in ((LEVEL,), ()):
        rows = orjson.loads(scada(data, "notes", *place, *WHEN, "--json")[1])
        assert [(row["tag"], row["text"], row["time"]) for row in rows] == [
            (LEVEL, "sensor cleaned", "2026-03-29T00:00:12.000Z")
        ]
    assert "sensor cleaned" in scada(data, "notes", *WHEN)[1]
    assert scada(data, "notes", "--remove", "1") == (0, "Annotation 1 is taken away.")
    assert orjson.loads(scada(data, "notes", *WHEN, "--json")[1]) == []


def test_the_audit_trail_is_listed_and_verified(data: Path) -> None:
    scada(data, "annotate", LEVEL, "one")
    scada(data, "delete", LEVEL, "--at", "2026-03-29T00:00:20.1Z", "--reason", "why not")
    rows = orjson.loads(scada(data, "audit", "list", "--json")[1])
    assert [(row["seq"], row["kind"]) for row in rows] == [(1, "annotation"), (2, "edit")]
    assert [
        row["seq"] for row in orjson.loads(scada(data, "audit", "list", "--kind", "edit", "--json")[1])
    ] == [2]
    assert "reason why not" in scada(data, "audit", "list")[1]
    head = f"2:{rows[1]['hash']}"
    code, text = scada(data, "audit", "verify", "--head", head)
    assert (code, text) == (0, f"2 entries, all as they were written. The last is {head}")
    db = sqlite3.connect(DataDir(data).history / audit.FILE)
    db.execute("UPDATE entry SET json = replace(json, 'why not', 'because') WHERE seq = 2")
    db.commit()
    db.close()
    code, text = scada(data, "audit", "verify")
    assert (code, text) == (
        1,
        "1 entries are as they were written. Then entry 2: it is not what was written.",
    )
    assert orjson.loads(scada(data, "audit", "verify", "--json")[1])["entries"] == 1


def test_an_end_that_was_cut_off_is_known_to_the_history(data: Path) -> None:
    scada(data, "annotate", LEVEL, "one")
    scada(data, "annotate", LEVEL, "two")
    with audit.Trail(DataDir(data).history) as trail:
        told = trail.anchor()
    assert told is not None
    store = SqliteStore.writer(DataDir(data).history)
    store.append(Batch(events=[{"kind": "audit", "t": 1, **told}]))
    store.close()
    assert scada(data, "audit", "verify")[0] == 0
    db = sqlite3.connect(DataDir(data).history / audit.FILE)
    db.execute("DELETE FROM entry WHERE seq = 2")
    db.commit()
    db.close()
    code, text = scada(data, "audit", "verify")
    assert code == 1
    assert "entry 2: it is missing, and was there before" in text


def test_stamps_are_as_exact_as_their_digits() -> None:
    zone = "Europe/Madrid"
    assert parse_stamp("2026-03-29T00:00:10.123456789Z", 0, zone) == (
        BEGIN + 10_123_456_789,
        BEGIN + 10_123_456_790,
    )
    assert parse_stamp("2026-03-29T00:00:10.5+00:00", 0, zone) == (
        BEGIN + 10_500_000_000,
        BEGIN + 10_600_000_000,
    )
    assert parse_stamp("2026-03-29 01:00:10", 0, zone) == (BEGIN + 10 * S, BEGIN + 11 * S)
    assert parse_stamp("now", 77, zone) == (77, 78)
    assert exact(BEGIN) == "2026-03-29T00:00:00.000Z"
    assert exact(BEGIN + 1) == "2026-03-29T00:00:00.000000001Z"
    assert exact(BEGIN + 1_500_000) == "2026-03-29T00:00:00.001500Z"


def test_a_new_user_stands_in_the_audit_trail(tmp_path: Path) -> None:
    arguments = ["user", "add", "anna", "--role", "engineer", "--password-stdin", "--data", str(tmp_path)]
    done = CliRunner().invoke(app, arguments, input="a long password\n")
    assert done.exit_code == 0, done.output
    (entry,) = audit.entries(DataDir(tmp_path).history, 0, 2**62)
    assert {key: entry.event[key] for key in ("kind", "name", "role", "source")} == {
        "kind": "user", "name": "anna", "role": "engineer", "source": "cli",
    }  # fmt: skip
    assert "password" not in str(entry.event)
