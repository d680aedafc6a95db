"""Events on their way to a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from historian.sinks import happened
from historian.sinks.happened import Event
from historian.sqlite import SqliteStore
from historian.store import Batch
from tests.sinks.faults import FaultServer
from tests.sinks.rig import START, Rig, make_sink


def event(number: int, t: int, **fields: Any) -> Event:
    kind = str(fields.setdefault("kind", "alarm"))
    return Event(number, t, kind, orjson.dumps({"t": t, **fields}).decode())


def line(made: Event) -> str:
    lines = happened.lines(make_sink("http://127.0.0.1:1"), "works", [made])
    return lines.body(0, len(lines)).decode()


def test_an_event_is_a_row_with_all_of_it() -> None:
    made = event(17, 5_000_000_000, path="tank1/LT-101/HH", message='too "high"\n', to=3)
    assert line(made) == (
        "events_small,kind=alarm,path=tank1/LT-101/HH,site=works n=17i,"
        'json="' + made.json.replace("\\", "\\\\").replace('"', '\\"') + '",'
        'message="too \\"high\\"\n" 5000000017\n'
    )


@pytest.mark.parametrize("path", [None, 7, "a\nb", "a\\", ["x"]])
def test_what_cannot_be_a_key_is_none(path: object) -> None:
    assert line(event(1, 1, path=path)).startswith("events_small,kind=alarm,site=works n=1i,")


def test_two_events_of_one_moment_are_two_rows() -> None:
    times = {line(event(number, 5_000, path="a/b")).split()[-1] for number in range(1000, 2000)}
    assert len(times) == 1000


def test_events_arrive_once_in_order_and_those_of_a_restored_copy_again(tmp_path: Path) -> None:
    with FaultServer() as server:
        rig = Rig(tmp_path, make_sink(server.url, batch=10))

        def happen(*numbers: int) -> None:
            events = [{"kind": "alarm", "t": START + n, "path": "tank1/LT-101/HH", "n": n} for n in numbers]
            rig.store.append(Batch(events=events))

        happen(*range(25))
        rig.run()
        assert len(server.lines) == 25
        happen(25)
        rig.commit()
        rig.restart()
        rig.run()
        kinds = [row.partition(",")[0] for row in server.lines]
        assert kinds == ["events_small"] * 25 + ["small", "events_small"]
        rig.close()


def test_after_is_what_is_behind_a_number(tmp_path: Path) -> None:
    store = SqliteStore.writer(tmp_path)
    assert happened.after(tmp_path, 0, 10) == ([], 0)
    store.append(Batch(events=[{"kind": "alarm", "t": n} for n in range(5)]))
    found, last = happened.after(tmp_path, 2, 2)
    assert ([one.id for one in found], last) == ([3, 4], 5)
    store.close()
