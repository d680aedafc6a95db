"""Tags side by side: what they were at each time of a grid."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from historian.transfer import grid as module
from historian.transfer.grid import Grid
from scada.datadir import DataDir
from tags.types import to_bits
from tests.transfer.plant import SECOND, empty, tag
from tests.transfer.test_cli import asked, say

T = 1_790_000_000 * SECOND
START = "2026-09-21T14:13:20Z"
TAGS = [
    tag(1, "a/level", "float64"),
    tag(2, "a/run", "bool"),
    tag(3, "a/mode", "int16"),
    tag(4, "a/name", "string"),
]


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = empty(tmp_path / "data", TAGS)
    store = SqliteStore.writer(data.history)
    rows = [(1, 0, T + i * SECOND, to_bits("float64", i / 4)) for i in range(20)]
    rows += [(2, 0, T, 1), (2, 0, T + 5 * SECOND, 0), (3, 0, T, 7), (3, 0x80310000, T + 8 * SECOND, 0)]
    store.append(Batch(np.array(rows, SAMPLE), utc_ns=T + 60 * SECOND))
    store.close()
    return data


def test_a_csv_has_a_row_for_each_time_and_a_column_for_each_tag(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CELLS", 7)  # several parts
    target = tmp_path / "x.csv"
    end = "2026-09-21T14:13:30Z"
    said = asked(data, "export", target, "--start", START, "--end", end, "--every", "2 s")
    assert (said["rows"], said["columns"]) == (5, ["a/level", "a/mode", "a/run"])
    with target.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["time", "a/level", "a/mode", "a/run"],
        ["2026-09-21T14:13:20.000000000Z", "0.0", "7", "true"],
        ["2026-09-21T14:13:22.000000000Z", "0.5", "7", "true"],
        ["2026-09-21T14:13:24.000000000Z", "1.0", "7", "true"],
        ["2026-09-21T14:13:26.000000000Z", "1.5", "7", "false"],
        ["2026-09-21T14:13:28.000000000Z", "2.0", "", "false"],
    ]
    code, text = say(data, "import", target, "--dry-run")
    assert (code, "14 samples of 3 tags" in text) == (0, True), text


def test_a_parquet_file_has_the_same(data: DataDir, tmp_path: Path) -> None:
    target = tmp_path / "x.parquet"
    asked(
        data, "export", target, "a/mode", "--start", START, "--end", "2026-09-21T14:13:30Z", "--every", "2 s"
    )
    table = pq.read_table(target)
    assert table.column_names == ["time", "a/mode"]
    assert table["a/mode"].to_pylist() == [7, 7, 7, 7, None]
    assert not target.with_name("x.parquet.part").exists()
    code, text = say(data, "export", target, "a/mode", "--start", START, "--every", "2 s")
    assert (code, "is there already" in text) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x.csv", "--every", "2 s"), "--every needs --start"),
        (("x.lines", "--every", "2 s", "--start", START), "--every needs --start"),
        (("x.csv", "a/name", "--every", "2 s", "--start", START), "No tag in history matches a/name"),
    ],
)
def test_what_cannot_be_put_side_by_side_is_said_so(
    data: DataDir, words: tuple[str, ...], message: str
) -> None:
    code, text = say(data, "export", *words)
    assert code in (1, 2)
    assert text.startswith(message)


def test_a_grid_ends_before_its_end() -> None:
    assert Grid(0, 10, 5).rows == 2
    assert Grid(0, 11, 5).rows == 3
    assert Grid(5, 5, 5).rows == 0
    assert [part.tolist() for part in Grid(1, 12, 5).parts(1)] == [[1, 6, 11]]
