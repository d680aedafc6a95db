from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.query import History
from historian.read import NAMES, sensible
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tags import quality
from tags.model import Tag

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
BEGIN = 20_000 * DAY
TAGS = [
    Tag(id=i, path=f"a/t{i}", type="float64", kind="device", writer="field", row=i, scan_ns=S, unit="m")
    for i in (1, 2)
]


@pytest.fixture
def past(tmp_path: Path) -> Iterator[History]:
    """Three hours of two tags at 1 Hz, ten minutes of the first without a value."""
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS)
    n = 3 * 3600
    for tag in TAGS:
        rows = np.zeros(n, SAMPLE)
        rows["tag"], rows["t"] = tag.id, BEGIN + np.arange(n) * S
        rows["bits"] = (np.arange(n) * float(tag.id)).view(np.uint64)
        rows["status"][3600:4200] = quality.BAD_NO_COMMUNICATION if tag.id == 1 else 0
        store.append(Batch(rows, utc_ns=BEGIN + n * S))
    store.fold(force=True)
    yield History(store, "UTC")
    store.close()


def test_a_trend_has_the_extremes_of_each_pixel_and_its_gaps(past: History) -> None:
    found = past.trend(TAGS[0], BEGIN, BEGIN + 3 * HOUR, 40)
    assert len(found) == 36
    assert (np.diff(found.start) == 5 * MINUTE).all()
    assert np.isnan(found.low).nonzero()[0].tolist() == [12, 13]
    assert found.low[0] == 0.0
    assert found.high[0] == pytest.approx(300.0)
    assert found.mean[1] == pytest.approx(450.0)
    assert found.count.tolist() == [300] * 12 + [0, 0] + [300] * 22
    assert found.percent_good[13] == 0.0


@given(st.integers(1, 4000 * DAY))
def test_widths_fit_minutes_hours_and_days(width: int) -> None:
    found = sensible(width)
    assert found >= width
    if width >= MINUTE:
        assert found % MINUTE == 0
        assert found < 2 * width
        assert DAY % found == 0 or found % DAY == 0
    else:
        assert found == width


def test_several_aggregates_at_once_are_those_one_by_one(past: History) -> None:
    where = (BEGIN + 100 * S, BEGIN + 2 * HOUR, 11 * MINUTE)
    together = past.aggregates(TAGS[0], NAMES, *where, state=5.0)
    for name, found in zip(NAMES, together, strict=True):
        wanted = past.aggregate(TAGS[0], name, *where, state=5.0)
        assert found.value == pytest.approx(wanted.value, rel=1e-12, nan_ok=True), name
        assert (found.status == wanted.status).all()
        assert found.unit == wanted.unit
    assert past.aggregates(TAGS[0], [], *where) == []


def test_a_grid_as_a_table_of_arrow(past: History) -> None:
    pytest.importorskip("pyarrow")
    times = range(BEGIN + 3500 * S, BEGIN + 3700 * S, 50 * S)
    table = past.table(TAGS, times)
    assert table.column_names == ["t", "a/t1", "a/t2"]
    assert str(table.schema.field("t").type) == "timestamp[ns, tz=UTC]"
    assert table.column("a/t1").to_pylist() == [3500.0, 3550.0, None, None]
    assert table.column("a/t2").to_pylist() == [7000.0, 7100.0, 7200.0, 7300.0]
    assert table.column("t").cast("int64").to_pylist() == list(times)


def test_a_grid_of_many_tags_has_nothing_of_texts(past: History) -> None:
    text = Tag(id=9, path="a/note", type="string", kind="device", writer="field", row=9)
    with pytest.raises(ValueError, match="a text has no numbers"):
        past.align([*TAGS, text], [BEGIN])
