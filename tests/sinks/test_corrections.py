"""Edits of history reach a sink: new values replace the old ones, what is gone is deleted or at least marked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.edits import Who
from historian.edits.write import Wish
from historian.settled import Columns
from historian.sinks import corrections
from historian.sinks.reading import SinkReader
from historian.store import SAMPLE
from tests.sinks.databases import Database
from tests.sinks.faults import FaultServer
from tests.sinks.rig import LEVEL, START, Rig, make_sink, values
from tests.support.wait import wait_for

WHO = Who("anna", "test", START, "calibration")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, server: FaultServer) -> Iterator[Rig]:
    rig = Rig(tmp_path, make_sink(server.url, batch=10, quality="exceptions"), step_ns=10**9)
    yield rig
    rig.close()


def replace(rig: Rig, at: list[int], value: float, status: int = 0) -> int:
    t = np.array([START + n * rig.step_ns for n in at])
    bits = np.full(len(t), value).view(np.uint64)
    columns = Columns(t, bits, np.full(len(t), status, np.uint32))
    return rig.store.edit(Wish("update", rig.ids[LEVEL], columns), WHO).id


def delete(rig: Rig, start: int, end: int) -> int:
    first, last = (START + n * rig.step_ns for n in (start, end))
    return rig.store.edit(Wish("delete", rig.ids[LEVEL], start_ns=first, end_ns=last), WHO).id


def test_a_new_value_is_sent_with_its_quality(rig: Rig, server: FaultServer) -> None:
    rig.commit(20)
    rig.run()
    server.lines.clear()
    replace(rig, [3, 7], -1.0)
    rig.run()
    assert values(server.lines) == [-1.0, -1.0]
    assert all(",q=" in line for line in server.lines), "an old quality would stay"
    assert [int(line.split()[-1]) for line in server.lines] == [START + 3 * 10**9, START + 7 * 10**9]
    rig.restart()
    rig.commit()
    rig.run()
    assert values(server.lines) == [-1.0, -1.0, 20.0]


def test_an_edit_waits_until_what_it_changed_is_delivered(rig: Rig, server: FaultServer) -> None:
    rig.commit(1000)
    replace(rig, [999], -1.0)
    rig.run(1000)
    assert values(server.lines) == [*range(1000), -1.0]


def test_what_is_deleted_is_deleted_in_runs_and_undone_by_sending_it(rig: Rig, server: FaultServer) -> None:
    rig.commit(20)
    rig.run()
    server.lines.clear()
    number = delete(rig, 5, 9)
    replace(rig, [12], float("nan"))
    rig.run()
    where = "DELETE+FROM+%22small%22+WHERE+%22id%22+%3D+%27tank1%2FLT-101%27+AND+time+%3E%3D+{}+AND+time+%3C%3D+{}"
    wanted = [where.format(START + a * 10**9, START + b * 10**9) for a, b in ((5, 8), (12, 12))]
    assert [query.partition("q=")[2].partition("&")[0] for query in server.queries] == wanted
    assert [line.partition(" ")[2].split("=")[0] for line in server.lines] == ["q"]
    server.lines.clear()
    rig.store.undo(number, WHO)
    rig.run()
    assert values(server.lines) == [5, 6, 7, 8]


def test_what_cannot_be_deleted_is_marked(rig: Rig, server: FaultServer) -> None:
    rig.commit(20)
    rig.run()
    server.lines.clear()
    server.query_status = 403
    delete(rig, 5, 7)
    rig.run()
    assert [line.partition(" ")[2] for line in server.lines] == [
        f"q={0x809B0000}i {START + n * 10**9}" for n in (5, 6)
    ]
    assert ("edit", "2 samples that were deleted stay in db, marked Bad") in rig.said


def test_a_server_that_is_away_gets_the_edit_later(rig: Rig, server: FaultServer) -> None:
    rig.commit(20)
    rig.run()
    server.query_status = 503
    delete(rig, 5, 7)
    assert rig.run() == [0.5]
    assert rig.run() == [1.0]
    assert rig.worker.problem
    server.query_status = 200
    server.queries.clear()
    rig.commit()
    rig.run()
    assert len(server.queries) == 1
    assert not rig.worker.problem


@given(
    times=st.sets(st.integers(0, 30), min_size=1),
    now=st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, 0x4000_0000, 0x8000_0000])), max_size=40),
)
def test_runs_hold_what_has_no_value_and_nothing_that_has(
    times: set[int], now: list[tuple[int, int]]
) -> None:
    rows = np.zeros(len(now), SAMPLE)
    rows["t"], rows["status"] = [row[0] for row in now], [row[1] for row in now]
    found = [run.tolist() for run in corrections.runs(np.array(sorted(times)), rows, floating=True)]
    valued = {t for t, status in now if status < 0x8000_0000}
    assert sorted(t for run in found for t in run) == sorted(times - valued)
    for run in found:
        assert not valued & set(range(run[0], run[-1] + 1))
    assert all(run for run in found)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_influxdb_holds_what_history_shows_after_many_edits(tmp_path: Path) -> None:
    influx = Database(tmp_path / "influx", "influxd")
    try:
        rig = Rig(tmp_path / "history", make_sink(influx.url, quality="exceptions"), step_ns=10**9)
        rng = np.random.default_rng(5)
        undo: list[int] = []
        for round_ in range(12):
            rig.commit(100)
            start = int(rng.integers(0, 90)) + 100 * int(rng.integers(0, round_ + 1))
            undo.append(delete(rig, start, start + int(rng.integers(1, 10))))
            undo.append(replace(rig, [int(n) for n in rng.permutation(rig.number)[:20]], -1.0 - round_))
            replace(rig, [int(rng.integers(0, rig.number))], 1.0, 0x8000_0000)
            if round_ % 3 == 2:
                rig.store.undo(undo.pop(), WHO)
                rig.fold()
            wait_for(lambda: rig.run(5000) and rig.worker.idle, 30.0)
        reader = SinkReader(rig.sink)
        theirs = reader.raw(rig.site.by_path()[LEVEL], 0, 2**62)
        ours = rig.store.raw(rig.ids[LEVEL], 0, 2**62)
        bad = (ours.status >> np.uint32(31)) == 1
        assert (theirs.t == ours.t).all()
        assert (theirs.status == ours.status).all()
        assert (theirs.bits[~bad] == ours.bits[~bad]).all()
        assert (theirs.bits[bad] == 0).all()
        assert rig.worker.refused == 0
        reader.close()
        rig.close()
    finally:
        influx.stop()
