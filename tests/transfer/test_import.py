"""What an import takes: what an export wrote, bit by bit and exactly once; and what it says about files that are wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from historian.sqlite import SqliteStore
from historian.store import Batch, StoreError
from historian.transfer import csv_in, parquet_in
from historian.transfer.importing import Imported, ProblemsError, import_file
from historian.transfer.incoming import PROBLEMS_MAX, Terms
from scada.datadir import DataDir
from tags.mapped import Position
from tests.transfer.plant import T0, TAGS, empty, everything, make, plain, renumbered
from tests.transfer.test_export import CutError, ask

ZONE = ZoneInfo("Europe/Berlin")
HEAD = "tag,time,value,quality\n"
AT = "2026-09-21T14:13:20Z"


def take(data: DataDir, path: Path, kind: str = "csv", tag: str = "", **more: Any) -> Imported:
    store = SqliteStore.writer(data.history)
    try:
        terms = Terms(store.ids(), ZONE, T0 + 10**15, tag)
        return import_file(store, path, kind, terms, T0 + 10**15, **more)
    finally:
        store.close()


def refused(tmp_path: Path, text: str, **more: Any) -> list[tuple[int, str]]:
    """What is said about a file; nothing of it is in history."""
    data = empty(tmp_path / "refused")
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ProblemsError) as found:
        take(data, path, **more)
    assert not any(len(samples) for samples in everything(data).values())
    assert found.value.count >= len(found.value.problems) > 0
    return [(line, message) for line, message in found.value.problems]


def good(tmp_path: Path, text: str, **more: Any) -> dict[str, list[tuple[int, int | str, int]]]:
    data = empty(tmp_path / "good")
    path = tmp_path / "good.csv"
    path.write_text(text)
    take(data, path, **more)
    return {path: rows for path, rows in plain(everything(data)).items() if rows}


def floats(*values: float) -> list[int]:
    bits: list[int] = np.array(values).view(np.uint64).tolist()
    return bits


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.csv.zst", "x.parquet"])
def test_what_was_exported_comes_back_bit_by_bit(tmp_path: Path, name: str) -> None:
    data = make(tmp_path / "data")
    kind = "parquet" if name.endswith("parquet") else "csv"
    ask(data, tmp_path / name, kind)
    other = empty(tmp_path / "other", renumbered(TAGS, 100))
    done = take(other, tmp_path / name, kind)
    assert (done.samples, done.added) == (600, 600)
    assert plain(everything(other)) == plain(everything(data))


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_an_import_that_was_cut_off_anywhere_goes_on_and_a_repeated_one_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(csv_in, "READ", 2000)
    monkeypatch.setattr(parquet_in, "PIECE", 37)
    data = make(tmp_path / "data")
    kind = name.split(".")[1]
    ask(data, tmp_path / name, kind)
    other = empty(tmp_path / "other")
    cuts = 0
    event = {"kind": "import", "t": 5}

    def counted(step: str, _share: float, samples: int) -> None:
        if step == "importing" and samples:
            raise CutError

    while True:
        try:
            take(other, tmp_path / name, kind, progress=counted, event=event)
            break
        except CutError:
            cuts += 1
    assert cuts > 10
    assert plain(everything(other)) == plain(everything(data))
    assert take(other, tmp_path / name, kind, event=event).added == 0
    assert plain(everything(other)) == plain(everything(data))
    store = SqliteStore.reader(other.history)
    (told,) = store.events(0, 10, ["import"])
    store.close()
    assert (told["file"], told["samples"], told["tags"], told["from"]) == (name, 600, 10, T0)


def test_the_same_content_again_is_taken_when_that_is_asked_for(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    ask(data, tmp_path / "x.csv")
    assert take(data, tmp_path / "x.csv", again=True).added == 600
    assert all(len(samples) == 120 for samples in everything(data).values())


def test_a_dry_run_only_looks(tmp_path: Path) -> None:
    ask(make(tmp_path / "data"), tmp_path / "x.csv")
    other = empty(tmp_path / "other")
    assert take(other, tmp_path / "x.csv", dry=True).samples == 600
    assert not any(len(samples) for samples in everything(other).values())


def test_a_file_that_changes_between_the_two_readings_is_an_error(tmp_path: Path) -> None:
    ask(make(tmp_path / "data"), tmp_path / "x.csv")
    other = empty(tmp_path / "other")

    def change(step: str, share: float, _samples: int) -> None:
        if step == "checking" and share == 1:
            with (tmp_path / "x.csv").open("a") as file:
                file.write(f"plant/bool,{AT},true,Good\n")

    with pytest.raises(StoreError, match="was changed while it was imported"):
        take(other, tmp_path / "x.csv", progress=change)


def test_times_without_an_offset_are_those_of_the_site(tmp_path: Path) -> None:
    rows = good(
        tmp_path, "tag,time,value\nplant/float64,2026-01-15 13:00,1\nplant/float64,2026-07-01T13:00:00.25,2\n"
    )
    t = [row[0] for row in rows["plant/float64"]]
    assert t == [1768478400_000_000_000, 1782903600_250_000_000]


def test_a_column_for_each_tag(tmp_path: Path) -> None:
    text = f"Time;Plant/Float64;plant/int16\n{AT};1,5;\n2026-09-21T14:13:21Z;;-7\n"
    assert good(tmp_path, text) == {
        "plant/float64": [(1790000000_000_000_000, *floats(1.5), 0)],
        "plant/int16": [(1790000001_000_000_000, 2**64 - 7, 0)],
    }


def test_a_file_of_one_tag_need_not_name_it(tmp_path: Path) -> None:
    assert good(tmp_path, f"time,value\n{AT},1.5\n", tag="plant/float64") == {
        "plant/float64": [(1790000000_000_000_000, *floats(1.5), 0)]
    }


def test_a_bad_sample_needs_no_value_and_a_quality_may_be_a_number(tmp_path: Path) -> None:
    text = HEAD + f"plant/float64,{AT},,BadNoData\nplant/float64,{AT},1,0x80310400\nplant/float64,{AT},1,3\n"
    assert [row[1:] for row in good(tmp_path, text)["plant/float64"]] == [
        (0, 0x809B0000),
        (*floats(1.0), 0x80310400),
        (*floats(1.0), 3),
    ]


def test_everything_that_is_wrong_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        HEAD
        + f"plant/flaot64,{AT},1,Good\n"  # 2
        + f'plant/string,{AT},"two\nlines",Good\n'  # 3 and 4
        + "plant/float64,yesterday,1,Good\n"  # 5
        + f"plant/int16,{AT},40000,Good\n"  # 6
        + f"plant/int16,{AT},1.5,Good\n"  # 7
        + f"plant/float64,{AT},much,Good\n"  # 8
        + f"plant/float64,{AT},1,Goodish\n"  # 9
        + f"plant/float64,{AT}\n"  # 10
        + "plant/float64,2100-01-01T00:00:00Z,1,Good\n"  # 11
        + f"plant/float64,{AT},,Good\n"  # 12
        + f"plant/float32,{AT},1e39,Good\n"  # 13
        + f"plant/bool,{AT},2,Good\n"  # 14
        + f"plant/string,{AT},{'x' * 256},Good\n"  # 15
        + f"plant/flaot64,{AT},1,Good\n"  # 16: said already
    )
    found = refused(tmp_path, text)
    assert [line for line, _ in found] == [2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    said = dict(found)
    assert said[2] == "there is no tag 'plant/flaot64'. Did you mean plant/float64 or plant/float32?"
    assert said[5] == "'yesterday' is no time. Write 2026-11-22T12:00:00.5Z or 2026-11-22 13:00"
    assert said[6] == "plant/int16: '40000' is not a whole number in -32768 … 32767"
    assert said[10] == "2 columns instead of 4"
    assert said[11] == "'2100-01-01T00:00:00Z' lies in the future"
    assert said[15] == "plant/string: text of 256 bytes; at most 255 fit"


def test_lines_are_right_in_later_pieces_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_in, "READ", 120)
    rows = [f'plant/string,{AT},"a\nb",Good\n'] * 7 + [f"plant/int16,{AT},x,Good\n"]
    assert [line for line, _ in refused(tmp_path, HEAD + "".join(rows))] == [16]


def test_only_the_first_hundred_problems_are_told_and_all_are_counted(tmp_path: Path) -> None:
    assert len(refused(tmp_path, HEAD + f"plant/int16,{AT},x,Good\n" * 500)) == PROBLEMS_MAX


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column is called time; there are: none"),
        ("a,b\n1,2\n", "no column is called time; there are: a, b"),
        ("tag,time\n", "no column is called value; there are: tag, time"),
        ("time,value\n", "there is no tag 'value'."),
        ("time\n", "no column is called tag, and none has the path of a tag; see --tag"),
    ],
)
def test_a_head_that_says_too_little(tmp_path: Path, text: str, message: str) -> None:
    assert (1, message) in refused(tmp_path, text)


def test_a_parquet_file_of_another_program(tmp_path: Path) -> None:
    t = np.array([1790000000_000, 1790000001_000], "datetime64[ms]")
    pq.write_table(
        pa.table(
            {"Timestamp": t, "name": ["plant/int16", "plant/bool"], "value": pa.array([7, 1], pa.int8())}
        ),
        tmp_path / "x.parquet",
    )
    data = empty(tmp_path / "data")
    take(data, tmp_path / "x.parquet", "parquet")
    found = plain(everything(data))
    assert found["plant/int16"] == [
        (1790000000_000_000_000 - 7200 * 10**9, 7, 0)
    ]  # a clock without an offset
    assert found["plant/bool"][0][1] == 1


def test_a_wide_parquet_file(tmp_path: Path) -> None:
    t = pa.array(np.array([1790000000, 1790000001]), pa.int64()).cast(pa.timestamp("s", tz="UTC"))
    pq.write_table(
        pa.table({"time": t, "plant/float64": [None, 2.5], "plant/string": ["a", None]}),
        tmp_path / "x.parquet",
    )
    data = empty(tmp_path / "data")
    take(data, tmp_path / "x.parquet", "parquet")
    found = plain(everything(data))
    assert found["plant/float64"] == [(1790000001_000_000_000, *floats(2.5), 0)]
    assert found["plant/string"] == [(1790000000_000_000_000, "a", 0)]


def test_problems_of_a_parquet_file_name_the_row(tmp_path: Path) -> None:
    t = pa.array(np.array([1790000000] * 5), pa.int64()).cast(pa.timestamp("s", tz="UTC"))
    table = pa.table(
        {
            "time": t,
            "tag": ["plant/int16", "plant/int16", "plant/float64", "nix", "plant/float64"],
            "value": [1.5, 7.0, None, 1.0, None],
            "status": pa.array([0, 0, 0, 0, 0x80000000], pa.uint32()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    data = empty(tmp_path / "data")
    with pytest.raises(ProblemsError) as found:
        take(data, tmp_path / "x.parquet", "parquet")
    assert [tuple(problem) for problem in found.value.problems] == [
        (1, "plant/int16: '1.5' is not a whole number in -32768 … 32767"),
        (3, "plant/float64: no value"),
        (4, "there is no tag 'nix'."),
    ]


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", HEAD.encode() + b"plant/string,2026-09-21T14:13:20Z,\xe4,Good\n"]
)
def test_what_is_not_utf8_is_said_so(tmp_path: Path, text: bytes) -> None:
    data = empty(tmp_path / "data")
    (tmp_path / "x.csv").write_bytes(text)
    with pytest.raises(StoreError, match="is not UTF-8"):
        take(data, tmp_path / "x.csv")


def test_a_packed_file_that_is_cut_short_is_said_so(tmp_path: Path) -> None:
    data = empty(tmp_path / "data")
    whole = gzip.compress(HEAD.encode() + f"plant/float64,{AT},1,Good\n".encode() * 9999)
    (tmp_path / "x.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(OSError, match="cannot be unpacked"):
        take(data, tmp_path / "x.csv.gz")


def test_a_build_that_forgets_the_place_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark in the store is what makes a repeated import harmless: without it the samples are there twice."""
    data = make(tmp_path / "data")
    ask(data, tmp_path / "x.csv")
    other = empty(tmp_path / "other")
    take(other, tmp_path / "x.csv")
    append = SqliteStore.append

    def without(store: SqliteStore, batch: Batch) -> bool:
        batch.positions.clear()
        return append(store, batch)

    def nothing(_store: SqliteStore, _writer: str, _ring: str) -> Position | None:
        return None

    monkeypatch.setattr(SqliteStore, "append", without)
    monkeypatch.setattr(SqliteStore, "position", nothing)
    take(other, tmp_path / "x.csv")
    assert plain(everything(other)) != plain(everything(data))
