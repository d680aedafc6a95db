"""Files of an export hold what history holds, bit by bit, also after any interruption."""

from __future__ import annotations

import csv
import gzip
import io
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import zstandard

from historian.sqlite import SqliteStore
from historian.store import Samples, StoreError
from historian.transfer import export as module
from historian.transfer.export import Exported, Question, export, state_of
from scada.datadir import DataDir
from tests.transfer.plant import T0, everything, make

ROOT = Path(__file__).parents[2]
WORDS = {"tags": "*"}


def ask(data: DataDir, target: Path, kind: str = "csv", **more: Any) -> Exported:
    store = SqliteStore.reader(data.history)
    try:
        tags = list(store.ids().values())
        return export(store, Question(tags, 0, 2**62, kind, WORDS), target, **more)
    finally:
        store.close()


def test_a_csv_has_a_line_for_each_sample_with_nanoseconds_and_quality(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    target = tmp_path / "x.csv"
    done = ask(data, target)
    with target.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["tag", "time", "value", "quality"]
    assert Counter(row[0] for row in rows[1:]) == done.samples == dict.fromkeys(everything(data), 60)
    assert rows[1] == ["plant/bool", "2026-09-21T14:13:20.123456789Z", "true", "Good"]
    of_texts = [row[2] for row in rows if row[0] == "plant/string"]
    assert list(everything(data)["plant/string"].texts or ()) == of_texts
    assert {row[3] for row in rows[1:]} == {
        "Good",
        "BadNoCommunication",
        "UncertainEngineeringUnitsExceeded",
        "0x80310400",
    }
    assert done.counted == 600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "x.csv"]


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_packed_csv_holds_the_same(tmp_path: Path, packing: str) -> None:
    data = make(tmp_path / "data")
    ask(data, tmp_path / "x.csv")
    ask(data, tmp_path / f"x.csv{packing}")
    packed = (tmp_path / f"x.csv{packing}").read_bytes()
    if packing == ".gz":
        text = gzip.decompress(packed)
    else:
        with zstandard.ZstdDecompressor().stream_reader(
            io.BytesIO(packed), read_across_frames=True
        ) as stream:
            text = stream.read()
    assert text == (tmp_path / "x.csv").read_bytes()


def test_line_protocol_has_a_line_for_each_sample(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    done = ask(data, tmp_path / "x.lines", "lines")
    lines = (tmp_path / "x.lines").read_text().split("\n")
    assert done.counted == 600
    assert f"closedloop,path=plant/int16 i=0i,q=0i {T0}" in lines


def test_a_parquet_file_is_one_table(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    done = ask(data, tmp_path / "x.parquet", "parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.column_names == ["tag", "time", "value", "text", "status", "bits"]
    assert table.num_rows == done.counted == 600
    rows = list(zip(table["tag"].to_pylist(), table["bits"].to_pylist(), strict=True))
    assert [bits for tag, bits in rows if tag == "plant/uint64"][:3] == [None, 2**53 + 1, 2**64 - 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "x.parquet"]


def _listed(path: Path) -> str:
    table = pq.read_table(path)
    return repr(table.set_column(1, "time", table["time"].cast("int64")).to_pylist())  # NaN is not itself


class CutError(Exception):
    """The power goes."""


class Failing:
    """A store that can be read so many times."""

    def __init__(self, store: SqliteStore, left: int) -> None:
        self.store, self.left = store, left

    def raw(
        self, tag_id: int, start_ns: int, end_ns: int, limit: int = 100_000, *, originals: bool = False
    ) -> Samples:
        self.left -= 1
        if self.left < 0:
            raise CutError
        return self.store.raw(tag_id, start_ns, end_ns, limit, originals=originals)


def test_the_query_of_the_manual_reads_it(tmp_path: Path) -> None:
    ask(make(tmp_path / "data"), tmp_path / "all.parquet", "parquet")
    page = (ROOT / "docs/how-to/export-and-import-history.md").read_text("utf-8")
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "duckdb" in code]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "plant/float64" in done.stdout


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.csv.zst", "x.lines", "x.parquet"])
def test_an_export_that_was_cut_off_goes_on_and_none_is_missing_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "SAVE", 20)
    data = make(tmp_path / "data")
    kind = {"csv": "csv", "lines": "lines", "parquet": "parquet"}[name.split(".")[1]]
    whole = tmp_path / f"whole-{name}"
    ask(data, whole, kind)
    store = SqliteStore.reader(data.history)
    tags = list(store.ids().values())
    target = tmp_path / name
    cuts = 0
    while not target.exists():
        try:
            done = export(Failing(store, 9), Question(tags, 0, 2**62 - cuts, kind, WORDS), target)
        except CutError:
            cuts += 1
            part = tmp_path / f"{name}.part"
            if part.exists() and cuts % 2:  # what was written behind the last place is worth nothing
                with part.open("ab") as file:
                    file.write(b"half a li\n" * 20_000)
    store.close()
    assert cuts > 3
    assert done.counted == 600
    assert done.resumed > 0
    if kind == "parquet":
        assert _listed(target) == _listed(whole)
    elif not name.endswith((".gz", ".zst")):
        assert target.read_bytes() == whole.read_bytes()


def test_a_cut_between_the_last_step_and_the_tidying_is_no_second_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(tmp_path / "data")
    target = tmp_path / "x.csv"

    def cut(_: Path) -> None:
        raise CutError

    with monkeypatch.context() as patch:
        patch.setattr(module, "_tidy", cut)
        with pytest.raises(CutError):
            ask(data, target)
    whole = target.read_bytes()
    assert ask(data, target).counted == 600
    assert target.read_bytes() == whole
    assert not state_of(target).exists()


def test_what_is_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    target = tmp_path / "x.csv"
    target.write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        ask(data, target)
    assert target.read_text() == "mine"
    assert ask(data, target, replace=True).counted == 600


def test_another_question_does_not_go_on_with_the_part_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "SAVE", 7)
    data = make(tmp_path / "data")
    target = tmp_path / "x.csv"
    store = SqliteStore.reader(data.history)
    tags = list(store.ids().values())
    with pytest.raises(CutError):
        export(Failing(store, 5), Question(tags, 0, 2**62, "csv", {"tags": "a*"}), target)
    store.close()
    with pytest.raises(StoreError, match=r"was not finished and asked for something else: tags a\*"):
        ask(data, target)
    assert ask(data, target, anew=True).counted == 600


def test_a_file_with_fewer_samples_than_were_written_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from historian.transfer import formats

    data = make(tmp_path / "data")
    monkeypatch.setattr(formats, "lines_in", lambda *_: 7)
    with pytest.raises(StoreError, match=r"holds 5 samples, but 600 were written|holds -?\d+ samples"):
        ask(data, tmp_path / "x.csv")
