"""Trends out of a real history file, as the historian writes it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Text
from scada.clock import SystemClock
from tests.hmi.plant import Hmi, Plant
from tests.support.wait import wait_for

SECOND = 1_000_000_000
START = SystemClock().utc_ns() // SECOND * SECOND - 3600 * SECOND
START_MS = START // 1_000_000


def samples(tag: int, rows: list[tuple[float, float, int]]) -> Any:
    """(seconds since START, value, status) as the store keeps them."""
    out = np.zeros(len(rows), SAMPLE)
    out["tag"] = tag
    out["t"] = [START + int(t * SECOND) for t, _, _ in rows]
    out["bits"] = np.array([v for _, v, _ in rows]).view(np.uint64)
    out["status"] = [status for _, _, status in rows]
    return out


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    plant = Plant(tmp_path_factory.mktemp("past") / "data")
    level, valve, position = (
        plant.tags[path].id for path in ("tank1/LT-101", "tank1/LV-101/OUT", "tank1/LV-101/POS")
    )
    store = SqliteStore.writer(plant.data.history)
    store.declare(plant.site.tags)
    bad = 0x8031_0000
    wave = [(t / 100, float(np.sin(t / 3000)), 0) for t in range(200_000)]
    notes = [Text(plant.tags["tank1/note"].id, START + t * SECOND, 0, f"at {t}") for t in (1, 2, 3)]
    event = {
        "kind": "request",
        "request": "write",
        "status": "confirmed",
        "t": START,
        "user": "anna",
        "source": "opcua",
    }
    store.append(
        Batch(
            np.concatenate(
                [
                    samples(level, [(0, 1.0, 0), (10, 2.0, 0), (20, 2.0, bad), (30, 3.0, 0)]),
                    samples(valve, [(-100, 40.0, 0), (60, 50.0, 0)]),
                    samples(position, wave),
                ]
            ),
            texts=notes,
            events=[
                {**event, "id": "1" * 32, "items": [["tank1/LIC-101/SP", 2.2]], "reason": "older"},
                {
                    **event,
                    "id": "2" * 32,
                    "items": [["tank1/LIC-101/SP", 2.4]],
                    "reason": "newer",
                    "t": START + 1,
                },
            ],
            utc_ns=START,
        )
    )
    hmi = Hmi(plant)
    try:
        with httpx.Client(base_url=hmi.url(), timeout=30) as client:
            yield client
    finally:
        assert hmi.close() == 0, hmi.log()
        store.close()
        plant.close()
        shutil.rmtree(plant.data.run.resolve())


def trend(api: httpx.Client, path: str, start_s: float, end_s: float, points: int = 800) -> dict[str, Any]:
    answer = api.get(
        f"/api/history/{path}",
        params={
            "start": int(START_MS + start_s * 1000),
            "end": int(START_MS + end_s * 1000),
            "points": points,
        },
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    found["t"] = [round((t - START_MS) / 1000, 3) for t in found["t"]]
    return found


def test_values_stand_until_they_change_and_bad_is_a_gap(api: httpx.Client) -> None:
    found = trend(api, "tank1/LT-101", 0, 60)
    assert list(zip(found["t"], found["v"], strict=True)) == [
        (0, 1.0), (9.9, 1.0), (10, 2.0), (19.9, 2.0), (19.999, 2.0), (20, None), (30, 3.0),
    ]  # fmt: skip
    assert not found["decimated"]
    assert not found["truncated"]


def test_the_value_from_before_begins_the_line(api: httpx.Client) -> None:
    found = trend(api, "tank1/LV-101/OUT", 0, 100)
    assert (found["t"][0], found["v"][0]) == (0, 40.0)
    assert (found["t"][-1], found["v"][-1]) == (60, 50.0)


def test_a_long_range_is_thinned_and_keeps_its_extremes(api: httpx.Client) -> None:
    found = trend(api, "tank1/LV-101/POS", 0, 2000, points=500)
    assert found["samples"] >= 200_000
    assert found["decimated"]
    assert len(found["t"]) <= 2 * 5 * 500
    assert found["t"] == sorted(found["t"])
    assert max(found["v"]) == pytest.approx(1.0, abs=1e-6)
    assert min(found["v"]) == pytest.approx(-1.0, abs=1e-6)


def test_much_time_is_drawn_from_what_is_summed_up(api: httpx.Client) -> None:
    found = trend(api, "tank1/LV-101/POS", -30 * 86_400, 2000, points=400)
    assert found["decimated"]
    assert not found["truncated"]
    assert found["samples"] == 200_000
    assert len(found["t"]) <= 2 * 400
    assert found["t"] == sorted(found["t"])
    values = [value for value in found["v"] if value is not None]
    assert (min(values), max(values)) == (pytest.approx(-1, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert found["v"][0] is None


def test_an_empty_range_is_an_empty_trend(api: httpx.Client) -> None:
    found = trend(api, "tank1/LT-101", -1000, -500)
    assert (found["t"], found["v"], found["samples"]) == ([], [], 0)


def test_who_wrote_before_the_restart_is_remembered(api: httpx.Client) -> None:
    last = wait_for(lambda: api.get("/api/tags/tank1/LIC-101/SP").json()["last_write"])
    assert (last["user"], last["source"], last["value"], last["reason"]) == ("anna", "opcua", 2.4, "newer")


def ask(api: httpx.Client, route: str, status: int = 200, /, **params: Any) -> Any:
    """Seconds since START become ms."""
    shown = {
        name: int(START_MS + value * 1000) if name in {"start", "end", "origin"} else value
        for name, value in params.items()
    }
    answer = api.get(f"/api/{route}", params=shown)
    assert answer.status_code == status, answer.text
    return answer.json()


def since(stamps: list[int]) -> list[float]:
    return [(t - START) / SECOND for t in stamps]


def test_samples_come_in_pages_to_the_nanosecond(api: httpx.Client) -> None:
    found, rows = None, []
    while found is None or found["next"]:
        more: dict[str, Any] = {"cursor": found["next"]} if found else {}
        found = ask(api, "samples/tank1/LV-101/POS", start=10, end=20, limit=300, **more)
        rows += list(zip(found["t_ns"], found["v"], found["status"], strict=True))
    assert len(rows) == len({t for t, _, _ in rows}) == 1000
    assert rows[0] == (START + 10 * SECOND, pytest.approx(np.sin(1000 / 3000)), 0)
    back = ask(api, "samples/tank1/LV-101/POS", start=20, end=10, limit=2)
    assert since(back["t_ns"]) == [20, 19.99]


def test_samples_keep_their_kind_and_bad_ones_have_no_value(api: httpx.Client) -> None:
    level = ask(api, "samples/tank1/LT-101", start=5, end=60, bounds=True)
    assert since(level["t_ns"]) == [0, 10, 20, 30, 60]
    assert level["v"] == [1.0, 2.0, None, 3.0, None]
    assert level["status"] == [0, 0, 0x8031_0000, 0, 0x80D7_0000]
    assert (level["unit"], level["next"]) == ("m", None)
    note = ask(api, "samples/tank1/note", start=0, end=2.5)
    assert (note["type"], note["v"]) == ("string", ["at 1", "at 2"])


def test_values_at_times(api: httpx.Client) -> None:
    times = [START_MS + t for t in (10_000, 25_000, -5_000)]
    found = ask(api, "at/tank1/LT-101", t=times)
    assert found["v"] == [2.0, None, None]
    assert found["t_ns"] == [t * 1_000_000 for t in times]
    assert ask(api, "at/tank1/LT-101", bridge=True, t=times)["v"][1] == pytest.approx(2.5, abs=0.6)


def test_one_value_for_each_interval(api: httpx.Client) -> None:
    found = ask(api, "intervals/tank1/LT-101", aggregate="time-average", start=0, end=30, every="10 s")
    assert found["v"][1:] == [2.0, None]
    assert found["v"][0] == pytest.approx(1.0, abs=0.01)
    assert found["percent_good"] == [100, 100, 0]
    assert (since(found["start_ns"]), since(found["end_ns"])) == ([0, 10, 20], [10, 20, 30])
    assert found["unit"] == "m"
    same = ask(api, "intervals/tank1/LT-101", aggregate="TimeAverage2", start=0, end=30, every=10_000)
    assert same["v"] == found["v"]
    cut = ask(api, "intervals/tank1/LT-101", aggregate="count", start=5, end=30, every="10s", origin=0)
    assert (since(cut["start_ns"]), cut["v"]) == ([5, 10, 20], [0, 1, 0])


def test_now_is_the_same_throughout_a_question(api: httpx.Client) -> None:
    params = {"aggregate": "count", "start": "-1h", "end": "now", "every": "10min"}
    found = api.get("/api/intervals/tank1/LT-101", params=params).json()
    assert len(found["v"]) == 6
    assert found["end_ns"][-1] - found["start_ns"][0] == 3600 * SECOND


def test_several_tags_on_one_grid(api: httpx.Client) -> None:
    tags = ["tank1/LT-101", "tank1/LV-101/OUT"]
    found = ask(api, "grid", tag=tags, start=0, end=30, every="10s")
    assert since(found["t_ns"]) == [0, 10, 20]
    assert found["tags"]["tank1/LT-101"]["v"] == [1.0, 2.0, None]
    assert found["tags"]["tank1/LV-101/OUT"]["v"] == [40.0, 40.0, 40.0]
    assert found["tags"]["tank1/LV-101/OUT"]["unit"] == "%"


def test_every_aggregate_that_is_listed_is_there(api: httpx.Client) -> None:
    names = ask(api, "aggregates")["aggregates"]
    assert {"name": "max", "opcua": "Maximum2"} in names
    for item in names:
        ask(api, "intervals/tank1/LT-101", aggregate=item["name"], start=0, end=30, every="10s", state=1)


@pytest.mark.parametrize(
    ("route", "params"),
    [
        ("samples/tank1/LT-101", {"start": "soon"}),
        ("samples/tank1/LT-101", {"start": 0, "cursor": "here"}),
        ("intervals/tank1/LT-101", {"aggregate": "guess", "start": 0, "every": "1h"}),
        ("intervals/tank1/LT-101", {"aggregate": "max", "start": 0, "every": "1 ms"}),
        ("intervals/tank1/LT-101", {"aggregate": "max", "start": 10, "end": 10, "every": "1h"}),
        ("intervals/tank1/LT-101", {"aggregate": "time-in-state", "start": 0, "every": "1h"}),
        ("intervals/tank1/note", {"aggregate": "max", "start": 0, "every": "1h"}),
        ("intervals/tank1/LT-101", {"aggregate": "max", "start": 0, "every": "shift", "shifts": "noon"}),
        ("grid", {"tag": ["tank1/note"], "start": 0, "every": "10min"}),
        ("grid", {"tag": ["tank1/LT-101"], "start": 0, "every": "day"}),
        ("grid", {"tag": ["tank1/LT-101"] * 50, "start": 0, "every": "100 ms"}),
    ],
)
def test_questions_without_an_answer_are_422_in_words(
    api: httpx.Client, route: str, params: dict[str, Any]
) -> None:
    asked = {
        name: START_MS + value * 1000 if name in {"start", "end"} and isinstance(value, int) else value
        for name, value in params.items()
    }
    answer = api.get(f"/api/{route}", params=asked)
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) > 10


def test_unknown_tags_are_404(api: httpx.Client) -> None:
    assert ask(api, "samples/no/such/tag", 404, start=0)["detail"] == "there is no tag 'no/such/tag'"
