"""Trends out of a real history file, as the historian writes it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
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


def test_an_empty_range_is_an_empty_trend(api: httpx.Client) -> None:
    found = trend(api, "tank1/LT-101", -1000, -500)
    assert (found["t"], found["v"], found["samples"]) == ([], [], 0)


def test_who_wrote_before_the_restart_is_remembered(api: httpx.Client) -> None:
    last = wait_for(lambda: api.get("/api/tags/tank1/LIC-101/SP").json()["last_write"])
    assert (last["user"], last["source"], last["value"], last["reason"]) == ("anna", "opcua", 2.4, "newer")
