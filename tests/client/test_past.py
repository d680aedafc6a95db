from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Text
from scada.client import Archive, Client
from tags import quality
from tags.types import STRING, Value, to_bits
from tests.client.plant import Plant

S = 1_000_000_000
HOUR = 3600 * S
LEVEL, VALVE, RUN, NOTE = "tank1/LT-101", "tank1/LV-101/POS", "tank1/P-101/RUN", "tank1/note"


class Kept:
    """History written by the test."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.store = SqliteStore.writer(plant.data.history)
        self.store.declare(plant.site.tags)

    def put(self, path: str, *samples: tuple[int, Value, int], now: int, settle: bool = False) -> None:
        tag = self.plant.tags[path]
        if tag.type == STRING:
            texts = [Text(tag.id, t, status, str(value)) for t, value, status in samples]
            self.store.append(Batch(texts=texts, utc_ns=now))
            return
        rows = np.array(
            [(tag.id, status, t, to_bits(tag.type, value)) for t, value, status in samples], SAMPLE
        )
        self.store.append(Batch(rows, utc_ns=now))
        if settle:
            self.store.fold(force=True)


@pytest.fixture
def kept(plant: Plant) -> Iterator[Kept]:
    kept = Kept(plant)
    yield kept
    kept.store.close()


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Madrid")).timestamp()) * S


def test_pages_lose_and_repeat_nothing_even_where_times_are_equal(kept: Kept, client: Client) -> None:
    times = [1, 2, 2, 2, 2, 2, 3, 4, 4, 5]
    kept.put(LEVEL, *((t * S, float(i), 0) for i, t in enumerate(times)), now=9 * S, settle=True)
    for limit in (1, 2, 3, 20):
        found, cursor = [], None
        for _ in range(20):
            page = client.history_page(LEVEL, 0, 9 * S, limit, cursor)
            found += page.samples.values
            cursor = page.next
            if cursor is None:
                break
        assert found == [float(i) for i in range(10)]


def test_texts_come_in_pages_too(kept: Kept, client: Client) -> None:
    kept.put(NOTE, (1 * S, "a", 0), (1 * S, "b", 0), (2 * S, "c", 0), now=9 * S)
    first = client.history_page(NOTE, 0, 9 * S, 1)
    second = client.history_page(NOTE, 0, 9 * S, 5, first.next)
    assert (first.samples.values, second.samples.values, second.next) == (["a"], ["b", "c"], None)


def test_bounds_come_from_outside_of_the_range(kept: Kept, client: Client) -> None:
    kept.put(LEVEL, *((t * S, float(t), 0) for t in (1, 3, 5, 7)), now=9 * S, settle=True)
    assert (client.history_bounds(LEVEL, 2 * S, 6 * S).t // S).tolist() == [1, 3, 5, 7]
    assert (client.history_bounds(LEVEL, 6 * S, 2 * S).t // S).tolist() == [7, 5, 3, 1]
    assert (client.history_bounds(LEVEL, 0, 9 * S, bounds=False).t // S).tolist() == [1, 3, 5, 7]
    short = client.history_bounds(LEVEL, 2 * S, 9 * S, 2)
    assert ((short.t // S).tolist(), short.more) == ([1, 3], True)


def test_a_value_between_samples_follows_the_kind_of_the_tag(kept: Kept, client: Client) -> None:
    kept.put(LEVEL, (1 * S, 1.0, 0), (1 * S + S // 5, 2.0, 0), (100 * S, 4.0, 0), now=200 * S)
    kept.put(RUN, (1 * S, False, 0), (100 * S, True, 0), now=200 * S)
    found, codes = client.history_at(LEVEL, [0, S, S + S // 10, 50 * S, 100 * S - S // 20, 150 * S])
    # It rested at 2.0 and moved in the last scan of 0.1 s; afterwards it holds, as nothing else was recorded.
    np.testing.assert_allclose(found, [np.nan, 1, 1.5, 2, 3, 4])
    assert [code >> 30 for code in codes.tolist()] == [2, 0, 0, 0, 0, 0]
    stepped, _ = client.history_at(RUN, [50 * S, 99 * S, 100 * S])
    assert stepped.tolist() == [0, 0, 1]
    nothing, _ = client.history_at(LEVEL, [])
    assert len(nothing) == 0


def test_a_gap_stays_a_gap_unless_it_is_to_be_bridged(kept: Kept, client: Client) -> None:
    bad = quality.BAD_NO_COMMUNICATION
    kept.put(LEVEL, (1 * S, 1.0, 0), (2 * S, 1.0, bad), (3 * S, 1.0, bad), (5 * S, 3.0, 0), now=9 * S)
    values, codes = client.history_at(LEVEL, [4 * S])
    assert np.isnan(values[0])
    assert quality.name(int(codes[0])) == "BadNoCommunication"
    values, codes = client.history_at(LEVEL, [4 * S], bridge=True)
    assert values[0] == 1.0  # it rested: the change came in the last scan
    assert codes[0] >> 30 == 1
    share = client.aggregate(LEVEL, "percent-good", S, 9 * S, 8 * S)
    assert share.value.tolist() == [100 * 5 / 8]


def test_days_of_the_site_have_23_and_25_hours(kept: Kept, client: Client) -> None:
    kept.put(LEVEL, (at("2026-03-01"), 2.0, 0), now=at("2026-11-30"), settle=True)
    spring = client.aggregate(LEVEL, "integral", at("2026-03-28"), at("2026-03-31"), "day")
    assert (spring.value / 7200).tolist() == [24, 23, 24]
    assert spring.unit == "m·s"
    assert not spring.partial.any()
    autumn = client.aggregate(LEVEL, "time-average", at("2026-10-24"), at("2026-10-27"), "day")
    assert ((autumn.end - autumn.start) // HOUR).tolist() == [24, 25, 24]
    assert autumn.value.tolist() == [2, 2, 2]
    night = client.aggregate(LEVEL, "duration-good", at("2026-10-24T22:00"), at("2026-10-25T14:00"), "shift")
    assert (night.value / 3600).tolist() == [9, 8]


def test_today_is_not_over(kept: Kept, client: Client) -> None:
    kept.put(LEVEL, (at("2026-05-01"), 2.0, 0), now=at("2026-05-02T06:00"))
    found = client.aggregate(LEVEL, "integral", at("2026-05-01"), at("2026-05-04"), "day")
    assert (found.value[:2] / 7200).tolist() == [24, 6]
    assert np.isnan(found.value[2])
    assert found.partial.tolist() == [False, True, True]
    assert found.percent_good.tolist() == [100, 100, 0]


def test_a_counter_is_followed_over_its_end_over_gaps_and_to_the_sample_before(
    kept: Kept, client: Client
) -> None:
    bad = quality.BAD_NO_COMMUNICATION
    readings = [(1, 65530.0, 0), (4, 0.0, bad), (6, 65534.0, 0), (7, 3.0, 0), (8, 5.0, 0)]
    kept.put(LEVEL, *((t * S, value, status) for t, value, status in readings), now=20 * S)
    found = client.aggregate(LEVEL, "counter", 5 * S, 11 * S, 2 * S, roll_over=65536)
    assert found.value.tolist() == [4, 5 + 2, 0]
    again = client.aggregate(LEVEL, "counter", 5 * S, 11 * S, 2 * S)
    assert again.value.tolist() == [4, 3 + 2, 0]


def test_several_tags_on_one_grid(kept: Kept, client: Client) -> None:
    kept.put(LEVEL, (1 * S, 1.0, 0), now=9 * S)
    kept.put(RUN, (2 * S, True, 0), (3 * S, True, quality.BAD), now=9 * S)
    found = client.history_grid([LEVEL, RUN], [1 * S, 2 * S, 3 * S])
    assert found["t"].tolist() == [1 * S, 2 * S, 3 * S]
    assert found[LEVEL]["value"].tolist() == [1, 1, 1]
    np.testing.assert_equal(found[RUN]["value"], [np.nan, 1, np.nan])
    assert quality.is_bad(int(found[RUN]["status"][2]))


def test_what_cannot_be_answered_is_said(kept: Kept, client: Client) -> None:
    for ask, message in (
        (lambda: client.aggregate(NOTE, "max", 0, S, S), "tank1/note: a text has no numbers"),
        (lambda: client.aggregate(LEVEL, "mean", 0, S, S), "'mean' is no aggregate: one of time-average"),
        (lambda: client.aggregate(LEVEL, "max", S, S, S), "not after the start"),
        (lambda: client.aggregate(LEVEL, "max", 0, S, "fortnight"), "'fortnight' is no interval"),
        (lambda: client.aggregate(LEVEL, "time-in-state", 0, S, S), "needs a state"),
        (lambda: client.history_bounds(NOTE, 0, S), "a text has no bounds"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()
    with pytest.raises(KeyError, match="tank1/none"):
        client.history_at("tank1/none", [1])


def test_an_empty_history_has_no_values(kept: Kept, client: Client) -> None:
    found = client.aggregate(LEVEL, "time-average", 0, 2 * S, S)
    assert np.isnan(found.value).all()
    assert [quality.is_bad(code) for code in found.status.tolist()] == [True, True]
    assert np.isnan(client.history_at(LEVEL, [5])[0]).all()
    assert client.history_bounds(LEVEL, 0, 5).status.tolist() == [0x80D7_0000] * 2


def test_the_archive_answers_the_same(kept: Kept, client: Client, plant: Plant) -> None:
    kept.put(LEVEL, (1 * S, 1.0, 0), (2 * S, 3.0, 0), now=9 * S)
    archive = Archive(Path(plant.data.root))
    one, two = (source.aggregate(LEVEL, "time-average", 0, 9 * S, 3 * S) for source in (client, archive))
    np.testing.assert_equal(one.value, two.value)
    with pytest.raises(KeyError, match="history has no such tag"):
        archive.history_at("tank1/none", [1])
    archive.close()
